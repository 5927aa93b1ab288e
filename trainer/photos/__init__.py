"""Own photos: people found, cut out, parsed, put back; `Parser.load(weights).predict(image)`."""

from trainer.photos.parser import Parser, PhotoRules
from trainer.photos.people import Person

__all__ = ["Parser", "Person", "PhotoRules"]
