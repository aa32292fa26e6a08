"""Who answers: generators, translators, reward models and judges, in this process or behind HTTP; the pool keeps them full."""
