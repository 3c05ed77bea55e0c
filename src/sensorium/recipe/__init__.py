"""The kit of recipes: plans of stages, makers of conversations, and one command line."""

from sensorium.recipe.makers import Maker, conversations
from sensorium.recipe.recipe import Learner, Recipe
from sensorium.recipe.stages import Plan, Stage

__all__ = ["Learner", "Maker", "Plan", "Recipe", "Stage", "conversations"]
