"""The code of notebook 11: DP-SGD and eDP-SGD over the privacy budget."""
