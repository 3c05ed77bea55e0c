"""Growing a causal LM by new rows, and the plain model that comes out."""

from sensorium.model.base import Base, context_of, load_base
from sensorium.model.folder import resolve
from sensorium.model.grow import Grown, Learn, grow
from sensorium.model.head import final_logits
from sensorium.model.model import Model
from sensorium.model.rows import Init

__all__ = ["Base", "Grown", "Init", "Learn", "Model", "context_of", "final_logits", "grow", "load_base", "resolve"]
