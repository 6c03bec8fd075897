# See plan_base.py for the analysis, README.md here for the data.
_base_ = './plan_base.py'
name = 'Face masks, NanoDet-g trunk frozen'
config = './fcos_nanodet_facemask.py'
