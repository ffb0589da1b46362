"""How an architecture is drawn: repetitions folded, layers placed, colours chosen."""
