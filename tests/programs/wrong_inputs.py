#!/usr/bin/env python3
"""Wrong inputs to the example programs: each ends in one sentence and the right exit code, and leaves nothing behind.

  wrong_inputs.py FOLDER_OF_PROGRAMS [--list] [WORD...]

With words, only the cases whose command has all of them. --list prints the cases: command, exit code, sentence. Without either, at a
C2F_TEST_LEVEL below 2, every fourth case (some seconds).
"""
import concurrent.futures
import gzip
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import zipfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import _program
from _program import nifti


def png(width, height, grey):
    return _program.png(width, height, lambda x, y: (grey(x, y),), colour=0)


def make_inputs(top):
    """Folders of data: right ones and wrong ones."""
    def put(path, content):
        (top / path).parent.mkdir(parents=True, exist_ok=True)
        (top / path).write_bytes(content if isinstance(content, bytes) else content.encode())

    put("file", "some text\n")
    (top / "empty").mkdir()
    for name in ("train.bin", "test.bin", "fine_label_names.txt"):
        put(f"cifar_empty/{name}", b"")
        put(f"cifar_short/{name}", b"\0" * 3000)
    put("cifar_label/train.bin", b"\0\x64" + b"\0" * 3072)

    def voc(name, xml, pictures=4):
        for i in range(pictures):
            put(f"{name}/JPEGImages/p{i}.jpg", b"\xff\xd8\xff\xe0 cut off")
            put(f"{name}/Annotations/p{i}.xml", xml)
        put(f"{name}/ImageSets/Main/train.txt", "".join(f"p{i}\n" for i in range(pictures // 2)))
        put(f"{name}/ImageSets/Main/test.txt", "".join(f"p{i}\n" for i in range(pictures // 2, pictures)))

    def xml(name, box):
        edges = "".join(f"<{k}>{v}</{k}>" for k, v in zip(("xmin", "ymin", "xmax", "ymax"), box))
        objects = "".join(f"<object><name>{each}</name><bndbox>{edges}</bndbox></object>" for each in name.split(","))
        return f"<annotation><size><width>96</width><height>96</height><depth>3</depth></size>{objects}</annotation>"
    voc("voc", xml("cat", (10, 10, 50, 50)))
    voc("voc_four", xml("a,b,c,d", (10, 10, 50, 50)))
    voc("voc_box", xml("cat", (50, 10, 10, 50)))
    voc("voc_xml", "<annotation><size>")
    voc("voc_esc", "x")
    put("voc_esc/Annotations/\x1b[31m\xe9.xml", "<not")

    for part in ("train", "val"):
        for i in range(2):
            put(f"streets/{part}/{i}.png", png(240, 180, lambda x, y: (x + y) % 256))
            put(f"streets/{part}annot/{i}.png", png(240, 180, lambda x, y: 1))
            put(f"streets_label/{part}/{i}.png", png(240, 180, lambda x, y: 7))
            put(f"streets_label/{part}annot/{i}.png", png(240, 180, lambda x, y: 77))
            put(f"streets_half/{part}/{i}.png", png(240, 180, lambda x, y: 7))
    for part in ("val",):
        put(f"streets_half/{part}annot/0.png", png(240, 180, lambda x, y: 1))

    put("wide/page.png", png(17000, 2, lambda x, y: 7))
    put("wide_frames/0.png", png(6000, 2, lambda x, y: 7))
    for i, width in enumerate((64, 64, 60)):
        put(f"frames/{i}.png", png(width, 48, lambda x, y: 7))

    album = "spatial_envelope_256x256_static_8outdoorcategories"
    for i in range(4):
        put(f"sift/Images/{album}/p{i}.jpg", png(256, 256, lambda x, y: (x + y) % 256))
        put(f"sift/SemanticLabels/{album}/p{i}.png", png(256, 256, lambda x, y: 34))
        put(f"sift_list/Images/{album}/p{i}.jpg", b"")
    put("sift/TestSet1.txt", "p0.jpg\np3.jpg\n")
    put("sift_list/TestSet1.txt", f"{album}\\p0.jpg\n{album}\\missing.jpg\n")
    for i in range(5):
        put(f"stanford/images/{i}.jpg", png(20, 10, lambda x, y: 9))
        put(f"stanford/labels/{i}.regions.txt", "1 2 x\n")
        put(f"stanford_size/images/{i}.jpg", png(20, 10, lambda x, y: 9))
        put(f"stanford_size/labels/{i}.regions.txt", "1 2\n")

    ball = [1.0 * ((i % 16 - 8) ** 2 + (i // 16 % 16 - 8) ** 2 < 20) for i in range(16 * 16 * 16)]
    for i in range(4):
        scan, label = nifti((16, 16, 16), ball), nifti((16, 16, 16), [int(v) for v in ball], 2, "B")
        put(f"organ/images/v{i}.nii", scan)
        put(f"organ/labels/v{i}.nii", label)
        put(f"organ_empty/images/v{i}.nii", scan)
        put(f"organ_empty/labels/v{i}.nii", nifti((16, 16, 16), [0] * 4096, 2, "B"))
        put(f"organ_nan/images/v{i}.nii", nifti((16, 16, 16), [float("nan")] * 4096))
        put(f"organ_nan/labels/v{i}.nii", label)
        put(f"organ_only/images/v{i}.nii", scan)
    whole = gzip.compress(nifti((16, 16, 16), ball))
    put("cut.nii.gz", whole[:len(whole) // 2])
    for folder in ("s1", "s2"):
        put(f"{folder}/ct.nii.gz", whole)

    put("omniglot_cut/images_background_small1.zip", b"PK\x03\x04 cut off")
    put("omniglot_cut/images_background_small2.zip", b"PK\x03\x04 cut off")
    with zipfile.ZipFile(top / "none.zip", "w"):
        pass
    for n in (1, 2):
        put(f"omniglot_none/images_background_small{n}.zip", (top / "none.zip").read_bytes())
        put(f"omniglot_few/images_background_small{n}.zip", b"")
        with zipfile.ZipFile(top / f"omniglot_few/images_background_small{n}.zip", "w") as few:
            for character in (1, 2):
                for drawing in range(2):
                    few.writestr(f"images_background_small{n}/Greek/character0{character}/0{character}_0{drawing + 1}.png",
                                 png(105, 105, lambda x, y: 255 * (x > y)))
    for i in range(10):
        put(f"breeds_two/images/{'cat' if i % 2 else 'dog'}_{i}.png", png(40, 30, lambda x, y: x))
        put(f"breeds_none/images/{i}.png", png(40, 30, lambda x, y: x))
    put("birds/images.txt", "1 ../../secret.jpg\n")
    for name, line in (("image_class_labels", "1 1"), ("classes", "1 wren"), ("train_test_split", "1 1")):
        put(f"birds/{name}.txt", line + "\n")
    put("lists/train.csv", "filename,label\nno.jpg,cat\n")
    put("lists/test.csv", "filename;label\n")
    put("lists/val.csv", "filename,label\n")
    for name in ("cat", "dog"):
        for i in range(10):
            put(f"animals/{name}/{i}.png", png(40, 30, lambda x, y: x if name == "cat" else y))
            put(f"animals_cut/{name}/{i}.png", b"\x89PNG\r\n\x1a\n cut off")
    put("alone/cat/1.png", png(8, 8, lambda x, y: 7))
    for i in range(12):
        put(f"cells/images/{i}.png", png(40, 30, lambda x, y: x))
        put(f"cells/masks/{i}.png", png(40, 30, lambda x, y: 255 * (x > y)))
    for i in range(4):
        put(f"cells_rgb/images/{i}.png", png(8, 8, lambda x, y: x))
        put(f"cells_rgb/masks/{i}.png", _program.png(8, 8, lambda x, y: (x, y, 0)))
        put(f"cells_16/images/{i}.png", png(8, 8, lambda x, y: x))
        put(f"cells_16/masks/{i}.png", _program.png(8, 8, lambda x, y: (0, x), colour=0, bits=16))
        put(f"cells_other/images/{i}.png", png(8, 8, lambda x, y: x))
        put(f"cells_other/masks/of_{i}.png", png(8, 8, lambda x, y: x))
    put("taken/model/thesis.txt", "mine")
    put("only_webp/a.webp", "RIFF")
    put("base.safetensors", "")
    put("coco/annotations/instances_train.json", "{")
    put("coco_out/annotations/instances_train.json", '{"categories": [{"id": 1, "name": "cat"}], "annotations": [], "images": '
        '[{"id": 1, "file_name": "../../secret.jpg", "width": 9, "height": 9}]}')
    put("table/people.csv", "picture,age\na.png,3\nb.png,old\n")
    put("model_cut/model.json", '{"format": "c2f model 1"')
    put("model_other/model.json", '{"format": "c2f model 9"}')
    put("model_esc/model.json", '{"format": "\\u001b[31m"}')
    put("weights.safetensors", b"\x08\0\0\0\0\0\0\0{}      ")
    put("weights_cut.safetensors", b"\xff\xff\xff\0\0\0\0\0{")


# Program, arguments, exit code, what the sentence has. {} is the folder of the inputs; OUT a folder that does not exist.
VOC = "--data {}/voc --classes cat"
CASES = [
    ("10_class_vector", "--data {}/nowhere --out OUT", 2, "nowhere"),
    ("10_class_vector", "--data {}/file --out OUT", 2, "file"),
    ("10_class_vector", "--data {}/cifar_empty --out OUT", 2, "cifar_empty"),
    ("10_class_vector", "--data {}/cifar_short --out OUT", 2, "cifar_short"),
    ("10_class_vector", "--data {}/cifar_label --out OUT", 2, "cifar_label"),
    ("10_class_vector", "--data {}/streets --out OUT", 2, "streets"),
    ("10_class_vector", "--data {}/empty --out {}/file", 2, "--out"),
    ("10_class_vector", "--data {}/empty --out {}/file/below", 2, "--out"),
    ("10_class_vector", "--data {}/empty --variant PT --out OUT", 2, "--variant"),
    ("10_class_vector", "--data {}/empty --depth 18 --out OUT", 2, "--depth"),
    ("10_class_vector", "--data {}/empty --epochs 0 --out OUT", 2, "--epochs"),
    ("10_class_vector", "--data {}/empty --epochs 1.5 --out OUT", 2, "--epochs"),
    ("10_class_vector", "--data {}/empty --epochs 99999999999999999999 --out OUT", 2, "--epochs"),
    ("10_class_vector", "--data {}/empty --batch -1 --out OUT", 2, "--batch"),
    ("10_class_vector", "--data {}/empty --learning-rate nan --out OUT", 2, "--learning-rate"),
    ("10_class_vector", "--data {}/empty --learning-rate 0 --out OUT", 2, "--learning-rate"),
    ("10_class_vector", "--data {}/empty --weight-decay nan --out OUT", 2, "--weight-decay"),
    ("10_class_vector", "--data {}/empty --clip inf --out OUT", 2, "--clip"),
    ("10_class_vector", "--data {}/empty --ema 1 --out OUT", 2, "--ema"),
    ("10_class_vector", "--data {}/empty --seed -1 --out OUT", 2, "--seed"),
    ("10_class_vector", "--data {}/empty --seed 1x --out OUT", 2, "--seed"),
    ("10_class_vector", "--data {}/empty --epocs 3 --out OUT", 2, "--epocs"),
    ("10_class_vector", "--data {}/empty --epochs 3 --epochs 4 --out OUT", 2, "--epochs"),
    ("10_class_vector", "--data {}/empty \x1b[31mred --out OUT", 2, "\\x1b[31mred"),
    ("10_class_vector", "--data {}/empty --resume", 2, "--out"),
    ("10_class_vector", "--data {}/empty --checkpoint-every 5", 2, "--out"),
    ("10_class_vector", "--data {}/empty --device tpu --out OUT", 2, "--device"),
    ("10_class_vector", "--out OUT", 2, "--data"),
    ("20_boxes", "--data {}/nowhere --classes cat --out OUT", 2, "nowhere"),
    ("20_boxes", "--data {}/organ --classes cat --out OUT", 2, "organ"),
    ("20_boxes", "--data {}/voc --out OUT", 2, "--classes"),
    ("20_boxes", "--data {}/voc --classes cat,dog --out OUT", 2, "--classes names 2"),
    ("20_boxes", "--data {}/voc --classes dog --out OUT", 2, "has the class 'dog'"),
    ("20_boxes", "--data {}/voc --classes cat,cat,dog --out OUT", 2, "cat"),
    ("20_boxes", VOC + " --out OUT", 2, ".jpg"),
    ("20_boxes", VOC + " --strict --out OUT", 2, ".jpg"),
    ("20_boxes", VOC + " --train-set nowhere --out OUT", 2, "nowhere"),
    ("20_boxes", VOC + " --train-set ../../../file --out OUT", 2, "file"),
    ("20_boxes", VOC + " --images 100 --out OUT", 2, "--images has no effect"),
    ("20_boxes", VOC + " --class-from any --out OUT", 2, "--classes has no effect"),
    ("20_boxes", "--data {}/voc_xml --classes cat --strict --out OUT", 2, "not XML"),
    ("20_boxes", "--data {}/voc_box --classes cat --strict --out OUT", 2, "box"),
    ("20_boxes", "--data {}/voc_esc --classes cat --out OUT", 2, "voc_esc"),
    ("20_boxes", "--data scenes --backbone resnet18 --out OUT", 2, "--backbone has no effect"),
    ("20_boxes", "--data scenes --images 1 --out OUT", 2, "--images"),
    ("20_boxes", "--data scenes --images 8 --limit 9 --out OUT", 2, "take 9"),
    ("20_boxes", "--data scenes --images 8 --epochs 1 --learning-rate 1000 --batch 4", 1, "not a number"),
    ("21_parsing", "--data {}/voc --out OUT", 2, "--data"),
    ("21_parsing", "--images 11 --out OUT", 2, "--images"),
    ("21_parsing", "--images 12 --limit 13 --out OUT", 2, "take 13"),
    ("21_parsing", "--images 12 --out /dev/full", 2, "--out"),
    ("30_dense", "--data {}/nowhere --out OUT", 2, "nowhere"),
    ("30_dense", "--data {}/voc --out OUT", 2, "voc"),
    ("30_dense", "--data {}/streets_half --out OUT", 2, "streets_half"),
    ("30_dense", "--data {}/streets_label --epochs 1 --batch 2 --out OUT", 2, "77"),
    ("30_dense", "--data {}/streets --backbone vgg --out OUT", 2, "--backbone"),
    ("30_dense", "--data {}/streets --limit 3 --out OUT", 2, "take 3"),
    ("31_rstn", "--data {}/nowhere --out OUT", 2, "nowhere"),
    ("31_rstn", "--data {}/organ_only --out OUT", 2, "labels"),
    ("31_rstn", "--data {}/organ_empty --label 3 --out OUT", 2, "organ_empty"),
    ("31_rstn", "--data {}/organ_nan --strict --out OUT", 2, "v0.nii"),
    ("31_rstn", "--data {}/organ --volumes 99 --out OUT", 2, "--volumes"),
    ("31_rstn", "--data {}/organ --predict {}/nowhere.nii --out OUT", 2, "nowhere.nii"),
    ("31_rstn", "--data {}/organ --predict {}/cut.nii.gz --out OUT", 2, "cut.nii.gz"),
    ("31_rstn", "--data {}/organ --predict {}/file --out OUT", 2, "file"),
    ("31_rstn", "--data {}/organ --predict {}/s1/ct.nii.gz {}/s2/ct.nii.gz --out OUT", 2, "have one output"),
    ("31_rstn", "--data {}/organ --predict {}/s1/ct.nii.gz --window=3,nan --out OUT", 2, "--window"),
    ("31_rstn", "--data {}/organ --predict {}/s1/ct.nii.gz --window=0,inf --out OUT", 2, "--window"),
    ("31_rstn", "--data {}/organ --window=0,1 --out OUT", 2, "--predict"),
    ("40_few_shot", "--data {}/omniglot_cut --out OUT", 2, "zip"),
    ("40_few_shot", "--data {}/omniglot_none --out OUT", 2, "zip"),
    ("40_few_shot", "--data {}/omniglot_few --out OUT", 2, "has no characters"),
    ("40_few_shot", "--data {}/empty --way 7 --out OUT", 2, "--way"),
    ("40_few_shot", "--data {}/empty", 2, "--out"),
    ("40_few_shot", "--data {}/empty --tune-learning-rate nan --out OUT", 2, "--tune-learning-rate"),
    ("40_few_shot", "--data {}/lists --set mini_imagenet --out OUT", 2, "csv"),
    ("40_few_shot", "--data {}/empty --set omniglot_runs --out OUT", 2, "has no characters"),
    ("40_few_shot", "--data {}/empty --base {}/base.safetensors --epochs 3 --out OUT", 2, "--epochs has no effect with the base network"),
    ("40_few_shot", "--data {}/empty --base {}/base.safetensors --epochs 3 --resume --out OUT", 2, "no file"),
    ("41_dynamic_few_shot", "--data {}/empty --out OUT", 2, "empty"),
    ("41_dynamic_few_shot", "--data {}/empty --base {}/base.safetensors --limit 9 --out OUT", 2, "--limit has no effect"),
    ("42_parameter_predictor", "--data {}/empty --base {}/base.safetensors --batch 9 --out OUT", 2, "--batch has no effect"),
    ("41_dynamic_few_shot", "--data {}/lists --set mini_imagenet --out OUT", 2, "csv"),
    ("41_dynamic_few_shot", "--data {}/empty --variant jnt --out OUT", 2, "--variant"),
    ("41_dynamic_few_shot", "--data {}/empty --generator mean --out OUT", 2, "--generator"),
    ("42_parameter_predictor", "--data {}/empty --out OUT", 2, "empty"),
    ("42_parameter_predictor", "--data {}/empty", 2, "--out"),
    ("42_parameter_predictor", "--data {}/omniglot_cut --set omniglot --out OUT", 2, "zip"),
    ("42_parameter_predictor", "--data {}/lists --set mini_imagenet --out OUT", 2, "csv"),
    ("42_parameter_predictor", "--data {}/empty --variant phi3 --out OUT", 2, "--variant"),
    ("42_parameter_predictor", "--data {}/empty --p-mean nan --out OUT", 2, "--p-mean"),
    ("42_parameter_predictor", "--data {}/empty --p-mean 1.5 --out OUT", 2, "--p-mean"),
    ("50_casnet", "--data {}/nowhere --out OUT", 2, "nowhere"),
    ("50_casnet", "--data {}/streets_label --epochs 1 --batch 2 --out OUT", 2, "77"),
    ("50_casnet", "--data {}/streets --part test --out OUT", 2, "testannot"),
    ("50_casnet", "--data {}/streets --part train --out OUT", 2, "--part"),
    ("50_casnet", "--data {}/streets --fold 1 --out OUT", 2, "--fold has no effect with --set camvid"),
    ("50_casnet", "--data {}/streets --backbone resnet18 --variant pt --out OUT", 2, "no task is called 'pt'"),
    ("50_casnet", "--data {}/streets --init {}/weights.safetensors --out OUT", 2, "weights.safetensors"),
    ("50_casnet", "--data {}/streets --windows 5000 --out OUT", 2, "--windows"),
    ("50_casnet", "--data {}/streets --predict {}/file --out OUT", 2, "file"),
    ("50_casnet", "--data {}/streets --predict {}/empty --out OUT", 2, "empty"),
    ("50_casnet", "--data {}/streets --predict {}/streets/val/0.png", 2, "--out"),
    ("50_casnet", "--data {}/streets --set siftflow --out OUT", 2, "streets/Images"),
    ("50_casnet", "--data {}/sift_list --set siftflow --out OUT", 2, "names 'missing.jpg' in line 2"),
    ("50_casnet", "--data {}/sift --set siftflow --epochs 1 --batch 2 --out OUT", 2, "has the number 34"),
    ("50_casnet", "--data {}/streets --set stanford --out OUT", 2, "streets/images"),
    ("50_casnet", "--data {}/stanford --set stanford --epochs 1 --batch 2 --out OUT", 2, "line 1: 'x' is no whole number"),
    ("50_casnet", "--data {}/stanford_size --set stanford --epochs 1 --batch 2 --out OUT", 2, "has labels of 2 x 1 pixels"),
    ("50_casnet", "--data {}/stanford --set stanford --fold 5 --out OUT", 2, "--fold"),

    ("62_rejuvenation", "--data {}/nowhere --out OUT", 2, "nowhere"),
    ("62_rejuvenation", "--data {}/cifar_short --out OUT", 2, "cifar_short"),
    ("62_rejuvenation", "--data {}/nowhere --variant full --target 0.3 --out OUT", 2, "--target has no effect with --variant full"),
    ("62_rejuvenation", "--data {}/nowhere --variant full --budget 0.3 --out OUT", 2, "--budget has no effect with --variant full"),
    ("62_rejuvenation", "--data {}/nowhere --ema 0.9 --out OUT", 2, "--ema has no effect with a training in stages"),
    ("62_rejuvenation", "--data {}/nowhere --lambda 0.1 --lambda-step 0.1 --out OUT", 2, "--lambda-step has no effect with a fixed --lambda"),
    ("62_rejuvenation", "--data {}/nowhere --set cifar10 --out OUT", 2, "--network small is for cifar100"),
    ("62_rejuvenation", "--data {}/nowhere --target 0 --out OUT", 2, "--target"),
    ("62_rejuvenation", "--data {}/nowhere --target 0.4 --budget 0.3 --out OUT", 2, "write a --target of at most 0.3"),
    ("62_rejuvenation", "--data {}/nowhere --budget 0.3 --out OUT", 2, "nowhere"),
    ("62_rejuvenation", "--data {}/nowhere --variant slim --out OUT", 2, "--variant"),
    ("51_coarse2fine", "--data {}/nowhere --out OUT", 2, "nowhere"),
    ("51_coarse2fine", "--data {}/breeds_two --epochs 1 --out OUT", 2, "has 2 classes, and this program is compiled for 3"),
    ("51_coarse2fine", "--data {}/breeds_none --epochs 1 --out OUT", 2, "has no breed in its name"),
    ("51_coarse2fine", "--data {}/breeds_two --variant plain --pretrain 1 --out OUT", 2, "--pretrain has no effect"),
    ("60_co_training", "--data {}/breeds_two --variant supervised --views 4 --out OUT", 2, "--views has no effect with --variant supervised"),
    ("60_co_training", "--data {}/breeds_two --variant without_cot --lambda-cot 1 --out OUT", 2, "--lambda-cot has no effect"),
    ("60_co_training", "--data {}/breeds_two --set omniglot --network cnn13 --out OUT", 2, "--network cnn13 is for CIFAR"),
    ("51_coarse2fine", "--data {}/breeds_two --init {}/weights.safetensors --out OUT", 2, "--init has no effect with --set pets"),
    ("51_coarse2fine", "--data {}/breeds_two --predict {}/empty --out OUT", 2, "empty"),
    ("51_coarse2fine", "--data {}/breeds_two --predict {}/breeds_two/images/dog_0.png", 2, "--out"),
    ("51_coarse2fine", "--data {}/birds --set cub --out OUT", 2, "'../../secret.jpg', which is no picture below the folder"),
    ("51_coarse2fine", "--data {}/breeds_two --threshold 1 --out OUT", 2, "--threshold"),
    ("61_gunn", "--data {}/nowhere --out OUT", 2, "nowhere"),
    ("61_gunn", "--data {}/cifar_short --set cifar100 --out OUT", 2, "cifar_short"),
    ("61_gunn", "--data {}/cifar_label --out OUT", 2, "cifar_label"),
    ("61_gunn", "--data {}/empty --variant pt --out OUT", 2, "--variant"),
    ("61_gunn", "--data {}/empty --set omniglot --out OUT", 2, "--set"),
    ("61_gunn", "--data {}/empty --variant gunn --probe --out OUT", 2, "empty"),
    ("c2f", "", 2, "--help"),
    ("c2f", "trane --data {}/animals", 2, "--help"),
    ("c2f", "train --data {}/nowhere --out OUT", 2, "nowhere"),
    ("c2f", "train --data {}/file --out OUT", 2, "is no folder"),
    ("c2f", "train --data {}/empty --out OUT", 2, "no data that are known"),
    ("c2f", "train --data {}/alone --out OUT", 2, "no data that are known"),
    ("c2f", "train --data {}/animals --network resnet19 --out OUT", 2, "--network"),
    ("c2f", "train --data {}/animals --variant jnt --out OUT", 2, "--variant"),
    ("c2f", "train --data {}/animals --kind boxes --out OUT", 2, "no data for --kind boxes"),
    ("c2f", "train --data {}/animals --test nan --out OUT", 2, "--test"),
    ("c2f", "train --data {}/animals --validation 0.9 --test 0.9 --out OUT", 2, "no picture to train on"),
    ("c2f", "train --data {}/animals --out {}/file", 2, "--out"),
    ("c2f", "train --data {}/animals_cut --network small --out OUT", 2, "is not a whole PNG"),
    ("c2f", "train --data {}/cells --out OUT", 2, "--mask-values 0=NAME,255=NAME"),
    ("c2f", "train --data {}/cells --mask-values 0=ground --out OUT", 2, "1 classes"),
    ("c2f", "train --data {}/cells --mask-values 0=ground,300=cell --out OUT", 2, "300=cell"),
    ("c2f", "train --data {}/cells --mask-values 0=ground,0=cell --out OUT", 2, "the byte 0 twice"),
    ("c2f", "train --data {}/cells --network cifar --mask-values 0=ground,255=cell --out OUT", 2, "not compiled for masks"),
    ("c2f", "train --data {}/cells_rgb --out OUT", 2, "has several channels a pixel"),
    ("c2f", "train --data {}/cells_16 --out OUT", 2, "has 16 bits a pixel"),
    ("c2f", "train --data {}/cells_other --out OUT", 2, "has no mask (.png) of its name"),
    ("c2f", "train --data {}/animals --network cifar --epochs 1 --out {}/taken", 2, "cannot save a model"),
    ("c2f", "train --data {}/animals --classes cat,dog --out OUT", 2, "--classes has no effect with data of classes"),
    ("c2f", "train --data {}/animals --mask-values 0=a,1=b --out OUT", 2, "--mask-values has no effect"),
    ("c2f", "train --data {}/cells --mask-values 0=a,255=b --objects single --out OUT", 2, "--objects has no effect"),
    ("c2f", "train --data {}/cells --mask-values 0=a,255=b --classes a,b --out OUT", 2, "--classes has no effect with --mask-values"),
    ("c2f", "train --data {}/organ --mask-values 0=a,1=b --out OUT", 2, "--mask-values has no effect with volumes"),
    ("c2f", "train --data {}/voc --mask-values 0=a,1=b --out OUT", 2, "--mask-values has no effect with data of boxes"),
    ("c2f", "train --data {}/voc --class-from any --classes a --out OUT", 2, "--classes has no effect with --class-from any"),
    ("c2f", "show --data {}/table --class-from file --kind numbers --out OUT", 2, "column 'age'"),
    ("c2f", "show --data {}/animals --class-from file --out OUT", 2, "--class-from has no effect"),
    ("c2f", "train --data {}/coco --out OUT", 2, "is no JSON"),
    ("c2f", "train --data {}/coco_out --out OUT", 2, "../../secret.jpg"),
    ("c2f", "train --data {}/table --out OUT", 2, "line 3 has 'old' in the column 'age'"),
    ("c2f", "train --data {}/animals --augment flop --out OUT", 2, "an augmentation has the word 'flop'"),
    ("c2f", "train --data {}/animals --label-smoothing 2 --out OUT", 2, "--label-smoothing"),
    ("c2f", "train --data {}/animals --class-weights mine --out OUT", 2, "--class-weights"),
    ("c2f", "train --data {}/cells --mask-values 0=ground,255=cell --mixup .2 --out OUT", 2, "--mixup"),
    ("c2f", "show --data {}/voc_xml --out OUT", 2, "voc_xml"),
    ("c2f", "show --data {}/animals --part all --out OUT", 2, "--part"),
    ("c2f", "predict {}/nowhere {}/animals --out OUT", 2, "no folder"),
    ("c2f", "predict {}/animals {}/animals --out OUT", 2, "model.json"),
    ("c2f", "predict {}/model_cut {}/animals --out OUT", 2, "no JSON"),
    ("c2f", "predict {}/model_other {}/animals --out OUT", 2, "c2f model 9"),
    ("c2f", "predict {}/model_esc {}/animals --out OUT", 2, "control characters"),
    ("c2f", "predict {}/model_cut {}/nowhere --out OUT", 2, "nowhere"),
    ("c2f", "predict {}/model_cut {}/empty --out OUT", 2, "no picture"),
    ("c2f", "predict {}/model_cut {}/only_webp --out OUT", 2, "1 pictures of other types are left out"),
    ("c2f", "predict {}/model_cut {}/organ --draw --out OUT", 2, "--draw draws on pictures"),
    ("c2f", "predict {}/model_cut {}/cells/masks --out {}/cells", 2, "answers are written into"),
    ("c2f", "predict {}/model_cut {}/cells/masks/1.png --out {}/cells", 2, "answers are written into"),
    ("c2f", "predict {}/model_cut {}/animals --windows 0.0001 --out OUT", 2, "windows with a scale"),
    ("c2f", "predict {}/model_cut {}/animals --draw", 2, "--draw"),
    ("c2f", "predict {}/model_cut {}/animals --tta flip,turn", 2, "--tta"),
    ("c2f", "predict {}/model_cut {}/animals --windows=-1", 2, "--windows"),
    ("c2f", "predict {}/model_cut {}/animals --time --windows 1", 2, "--time compares"),
    ("c2f", "train --data {}/animals --patience=-1 --out OUT", 2, "--patience"),
    ("c2f", "evaluate {}/model_cut --data {}/animals --out OUT", 2, "no JSON"),
    ("c2f", "explain {}/model_other", 2, "c2f model 9"),
    ("70_detectors", "--data {}/nowhere --out OUT", 2, "nowhere"),
    ("70_detectors", "--data {}/organ --out OUT", 2, "organ"),
    ("70_detectors", "--data {}/voc --classes dog --out OUT", 2, "has the class 'dog'"),
    ("70_detectors", "--data {}/voc_four --classes a,b,c,d --out OUT", 2, "compiled for 3"),
    ("70_detectors", "--data {}/voc --variant gate --out OUT", 2, "--variant"),
    ("70_detectors", "--data {}/voc --train-set nowhere --out OUT", 2, "nowhere"),
    ("70_detectors", "--data {}/voc --classes cat --strict --out OUT", 2, ".jpg"),
    ("70_detectors", "--data {}/voc --least-score 2 --out OUT", 2, "--least-score"),
    ("70_detectors", "--data {}/voc --predict {}/animals", 2, "give --out"),
    ("70_detectors", "--data {}/voc --predict {}/empty --out OUT", 2, "has no .jpg, .jpeg or .png"),
    ("70_detectors", "--data {}/voc --predict {}/wide --out OUT", 2, "its sides are at most 16384"),
    ("50_casnet", "--data {}/streets --predict {}/wide/page.png --out OUT", 2, "its sides are at most 16384"),
    ("70_detectors", "--data {}/voc --probe --out OUT", 2, "--probe has no effect"),
    ("51_coarse2fine", "--data {}/empty --probe --out OUT", 2, "--probe has no effect"),
    ("70_detectors", "--data {}/voc_xml --strict --out OUT", 2, "not XML"),
    ("72_coco_detectors", "--data {}/coco --out OUT", 2, "is no JSON"),
    ("72_coco_detectors", "--data {}/nowhere --out OUT", 2, "nowhere"),
    ("72_coco_detectors", "--data {}/coco --network resnet50 --out OUT", 2, "--weights"),
    ("72_coco_detectors", "--data {}/coco --weights {}/file --out OUT", 2, "--weights has no effect"),
    ("72_coco_detectors", "--data {}/coco --recipe short --out OUT", 2, "--recipe"),
    ("72_coco_detectors", "--data {}/coco --scales 1,0 --out OUT", 2, "--scales"),
    ("71_vip", "--data {}/empty --out OUT", 2, "--data has no effect"),
    ("71_vip", "--variant pt --out OUT", 2, "--variant"),
    ("71_vip", "--probe-every 1 --out OUT", 2, "--probe-every has no effect"),
    ("71_vip", "--predict {}/wide_frames --out OUT", 2, "drawn on 18008 x 2 pixels"),
    ("71_vip", "--predict {}/streets/val", 2, "give --out"),
    ("71_vip", "--predict {}/nowhere --out OUT", 2, "--predict"),
    ("71_vip", "--predict {}/empty --out OUT", 2, "has no .jpg, .jpeg or .png"),
    ("71_vip", "--predict {}/frames --out OUT", 2, "the frames of a video have one size"),
    ("demo", "{}/file", 2, "the folder"),
    ("demo", "--epochs", 2, "no option"),
]


def tree(top):
    return sorted(str(path.relative_to(top)) for path in top.rglob("*"))


def check(case, programs, top):
    """The row of the table, and what is wrong."""
    number, (program, arguments, code, part) = case
    out = top / f"out{number}"
    given = [word.replace("{}", str(top)).replace("OUT", str(out)) for word in arguments.split(" ")]
    ran = subprocess.run([str(programs / program), *given], stdin=subprocess.DEVNULL, capture_output=True, timeout=120,
                         env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False)
    said = ran.stderr.decode("utf-8", "surrogateescape")
    lines = [line for line in said.split("\n") if line]
    wrong = []
    if ran.returncode != code:
        wrong.append(f"exit code {ran.returncode}, expected {code}")
    if not lines:
        wrong.append("no sentence")
    if lines and part not in lines[-1]:
        wrong.append(f"the sentence does not have '{part}'")
    if re.search(r"[\x00-\x09\x0b-\x1f\x7f]", said):
        wrong.append("control characters")
    if "frame #" in said or "Exception raised from" in said or "terminate called" in said:
        wrong.append("a stack trace")
    if out.exists() and code == 2:
        wrong.append("left behind: " + ", ".join(["the folder", *tree(out)]))
    sentence = (lines[-1] if lines else "").replace(str(top), "…")
    return (f"{program} {arguments}".replace("{}", "…"), ran.returncode, sentence, wrong, len(lines))


def main():
    words = [word for word in sys.argv[2:] if word != "--list"]
    programs = pathlib.Path(sys.argv[1]).resolve()
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        top = pathlib.Path(folder)
        make_inputs(top)
        before = tree(top)
        cases = [(i, case) for i, case in enumerate(CASES)
                 if all(word in f"{case[0]} {case[1]}" for word in words) and (programs / case[0]).exists()]
        if len(sys.argv) == 2 and int(os.environ.get("C2F_TEST_LEVEL") or 1) < 2:
            cases = cases[::4]
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for command, code, sentence, wrong, _ in pool.map(lambda case: check(case, programs, top), cases):
                failed += bool(wrong)
                if wrong or "--list" in sys.argv:
                    print(f"{'WRONG' if wrong else 'ok':5} {code}  {command.encode('unicode_escape').decode()}\n         {sentence}")
                for each in wrong:
                    print(f"         {each}")
        left = [path for path in tree(top) if path not in before and not path.startswith("out")]
        if left:
            print("left behind:", ", ".join(left))
    print(f"{len(cases)} wrong inputs, {failed} with a wrong answer")
    return 1 if failed or left or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
