"""What notebook 00 shows: one panel on a saved result, before anything is explained."""
