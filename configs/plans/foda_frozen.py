# Objects cut out of FODA, 31 unequal classes, frames of short films: 62 images at first, ten queries of 31, 20 seeds.
#   mmal features configs/mobilenet_v2_foda_frozen.py --out work_dirs/features/foda
#   python tools/al_compare.py configs/plans/foda_frozen.py --features work_dirs/features/foda
_base_ = './cifar10_frozen_herded.py'
name = 'FODA objects, frozen MobileNetV2, 62 herded images at first'
config = '../mobilenet_v2_foda_frozen.py'
options = {'train_cfg.initial': 62, 'train_cfg.query': 31}
