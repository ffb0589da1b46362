"""Where the files of a run lie: a folder, or an object store such as S3.

Everything above knows one contract, ``Store``. ``docs/explanation/storage.md`` says what it
promises, and how a journal lives in a store that cannot append.
"""

from raynas.storage.address import Address, Location, bucket_or_location, located, location
from raynas.storage.places import store_of
from raynas.storage.store import Log, Store

__all__ = [
    "Address",
    "Location",
    "Log",
    "Store",
    "bucket_or_location",
    "located",
    "location",
    "store_of",
]
