"""Published data: dataset and model cards, mixtures, licences and lineage; to the Hub and back."""
