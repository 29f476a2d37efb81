"""Intents of a voice assistant, learnt by the nodes of a Flower deployment."""
