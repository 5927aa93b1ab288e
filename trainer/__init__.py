"""Models, their losses, data feeding, training and evaluation."""
