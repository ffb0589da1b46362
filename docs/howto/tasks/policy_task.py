"""A task whose networks are policies, trained by PPO of stable-baselines3 on CartPole."""

import gymnasium
from stable_baselines3 import PPO
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor

from raynas.data import LoopData

STEPS = 1024  # of the environment; so many are an epoch


class CartPole:
    objective = "mean_return:max"
    metrics = ("mean_return",)

    def load(self, source, seed):
        return LoopData({"input_shape": (4,), "outputs": 32, "actions": 2})

    # --8<-- fit
    def fit(self, child, context):
        learner = PPO(
            "MlpPolicy",
            gymnasium.make("CartPole-v1"),
            n_steps=STEPS,
            device=context.device,
            seed=context.seed % 2**31,
            policy_kwargs=policy(child),
        )
        if context.checkpoint:
            learner.set_parameters(str(context.checkpoint), device=context.device)
        for _ in context.epochs():
            learner.learn(STEPS)
            learner.save(context.directory / "policy.zip")
            context.save(context.directory / "policy.zip")
            score, _ = evaluate_policy(learner, gymnasium.make("CartPole-v1"), n_eval_episodes=5)
            yield {"mean_return": score}

    # --8<-- end


def policy(child):
    class Features(BaseFeaturesExtractor):
        def __init__(self, space):
            super().__init__(space, 32)
            self.child = child

        def forward(self, observations):
            return self.child(observations)

    return {"features_extractor_class": Features, "net_arch": []}
