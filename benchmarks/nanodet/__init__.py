"""Detection with a trunk that was trained on COCO."""
