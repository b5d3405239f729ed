"""Ten thousand invented people in every personal column of every source, looked for everywhere but in landing.

``planting`` puts them into deliveries, ``searching`` finds out where a value stands, ``__main__`` runs the night and says what was found.
"""
