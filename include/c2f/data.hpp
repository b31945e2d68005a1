// c2f/data.hpp: the headers of c2f::data that need only LibTorch: splits, loader, episodes, CIFAR, synthetic data, volumes.
//
//   #include <c2f/data.hpp>
//   c2f::data::cifar100 const data{"/data"};
//
// Headers that need another library are not included; include them one by one:
//   data/draw/{canvas,plot,overlay}.hpp                     libspng
//   data/io/picture_file.hpp, data/fitted_picture.hpp, data/labelled_pictures.hpp,
//   data/datasets/{camvid,class_folders,dvps,image_folder,kitti_depth,mask_folders,picture_table,siftflow,stanford_background}.hpp    libjpeg and libspng
//   data/datasets/{coco,coco_objects,coco_panoptic}.hpp     libjpeg, libspng and nlohmann/json; voc_objects.hpp: and pugixml
//   data/datasets/omniglot.hpp, data/datasets/voc.hpp       libjpeg and libspng, and libzip (omniglot) or pugixml (voc)
//   data/io/nifti.hpp, data/datasets/organ_slices.hpp       libniftiio and zlib
//   data/io/{safetensors,weights}.hpp                       nlohmann/json, header only
//   data/io/zip.hpp, data/io/sha256.hpp                     libzip, OpenSSL
// c2f.hpp includes only the loader, CIFAR and the glyphs.
#pragma once

#include <c2f/core/compiler.hpp>  // first

#include <c2f/data/split.hpp>
#include <c2f/data/loader.hpp>
#include <c2f/data/check_split.hpp>
#include <c2f/data/episodes.hpp>
#include <c2f/data/mixed.hpp>
#include <c2f/data/objects.hpp>
#include <c2f/data/panoptic_pairs.hpp>
#include <c2f/data/pictures.hpp>
#include <c2f/data/resident.hpp>
#include <c2f/data/streams.hpp>
#include <c2f/data/validation.hpp>
#include <c2f/data/augment.hpp>
#include <c2f/data/letterbox.hpp>
#include <c2f/data/run_lengths.hpp>
#include <c2f/data/datasets/cifar.hpp>
#include <c2f/data/datasets/cifar_few_shot.hpp>
#include <c2f/data/synthetic/glyphs.hpp>
#include <c2f/data/synthetic/occluders.hpp>
#include <c2f/data/synthetic/road_videos.hpp>
#include <c2f/data/synthetic/scene_masks.hpp>
#include <c2f/data/synthetic/scenes.hpp>
#include <c2f/data/volumes/components.hpp>
#include <c2f/data/volumes/slices.hpp>
#include <c2f/data/volumes/volume.hpp>
#include <c2f/data/draw/font.hpp>
#include <c2f/data/draw/line_segment.hpp>
#include <c2f/data/io/output_names.hpp>
#include <c2f/data/io/whole_file.hpp>
