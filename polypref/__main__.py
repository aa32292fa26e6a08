"""`python -m polypref`, for launchers such as `accelerate launch -m polypref train dpo …`."""

from polypref.cli.main import main

main()
