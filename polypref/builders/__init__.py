"""How data is made: prompts -> translate -> complete -> score -> pair, the order in which a row passes through."""
