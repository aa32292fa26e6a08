"""A miniature world in 23 languages, in which all of polypref runs on two cores without a network."""
