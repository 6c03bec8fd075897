# ISAL on COCO in large steps (paper, section 4.3): 10 % of the images at first, 10 % a round, 10 rounds.
_base_ = './fcos_coco_isal.py'
train_cfg = dict(initial=11829, query=11829, rounds=10)
