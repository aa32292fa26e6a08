"""A miniature world, written by hand in 23 languages, in which all of polypref runs on two cores without a network."""
