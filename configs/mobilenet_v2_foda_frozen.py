# A frozen MobileNetV2 on objects cut out of FODA (31 classes of airport debris). The images and lists are made by
#   python docs/results/foda_frozen/crops.py SOURCE data/foda_crops
_base_ = './mobilenet_v2_cifar10_frozen.py'
data_root = 'data/foda_crops'
classes = [str(number) for number in range(31)]
model = dict(head=dict(num_classes=31))
data_preprocessor = dict(num_classes=31)
train_dataloader = dict(dataset=dict(data_root=data_root, classes=classes))
val_dataloader = dict(dataset=dict(data_root=data_root, classes=classes))
test_dataloader = dict(dataset=dict(data_root=data_root, classes=classes))
