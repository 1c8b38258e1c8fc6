"""What statistical verdicts rest on: e-processes, confidence sequences, slopes and orders, each with its proof or source."""
