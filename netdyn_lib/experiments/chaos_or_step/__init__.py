"""Gradient descent beside descents that have its long step without its expansion, and its expansion
without its long step.
"""
