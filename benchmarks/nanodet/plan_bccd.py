# See plan_base.py for the analysis, README.md here for the data.
_base_ = './plan_base.py'
name = 'BCCD (blood cells), NanoDet-g trunk frozen'
config = './fcos_nanodet_bccd.py'
