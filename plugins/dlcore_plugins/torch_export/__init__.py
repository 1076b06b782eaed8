"""Networks as programs of torch.export, which run without the code of their models."""
