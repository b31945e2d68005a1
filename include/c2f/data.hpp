// c2f/data.hpp: all of c2f::data. Programs that need one format include its header alone; none of this is behind c2f.hpp.
#pragma once

#include <c2f/data/canvas.hpp>
#include <c2f/data/cifar.hpp>
#include <c2f/data/font.hpp>
#include <c2f/data/glyphs.hpp>
#include <c2f/data/loader.hpp>
#include <c2f/data/pictures.hpp>
#include <c2f/data/plot.hpp>
#include <c2f/data/segment.hpp>
#include <c2f/data/split.hpp>
