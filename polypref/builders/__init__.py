"""The stages of a build, in the order in which a row passes: prompts, translate, complete, score, pair."""
