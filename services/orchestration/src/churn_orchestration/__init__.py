"""When is what scored in batches, and who hears of it when it fails?"""
