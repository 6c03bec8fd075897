# Figure 4c and Table 10: COCO in steps of 10 %, ten of them whatever AP they reach; one run a method, as in the paper.
#   python tools/al_compare.py configs/plans/coco_large.py
_base_ = './coco.py'
config = '../fcos_coco_isal_large.py'
seeds = [0]
methods = dict(learning_loss=dict(config='../fcos_coco_learning_loss_large.py'))
options = dict(_delete_=True)
target = 0.34
published = 10
