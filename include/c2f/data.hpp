// c2f/data.hpp: all of c2f::data. Programs that need one format include its header alone; none of this is behind c2f.hpp.
#pragma once

#include <c2f/data/draw/canvas.hpp>
#include <c2f/data/datasets/cifar.hpp>
#include <c2f/data/draw/font.hpp>
#include <c2f/data/synthetic/glyphs.hpp>
#include <c2f/data/loader.hpp>
#include <c2f/data/pictures.hpp>
#include <c2f/data/draw/plot.hpp>
#include <c2f/data/draw/line_segment.hpp>
#include <c2f/data/split.hpp>
