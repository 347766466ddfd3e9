"""How does a labelled history become a registered model that the stream can serve?"""
