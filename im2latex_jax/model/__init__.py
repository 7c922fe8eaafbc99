"""The network: encoder, additive attention, recurrent decoder."""
