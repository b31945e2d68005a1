// c2f/data/draw/font.hpp: the bitmap font of canvas: printable ASCII, 5 x 7 dots and 2 rows of descenders.
//
//   c2f::data::font::dot('A', 2, 0);                   // whether the letter has a dot at column 2, row 0: true
//
// The glyph table below has six bands of sixteen letters. A character that is not printable ASCII is drawn as a question mark.
// Cost: 5 KB of constants.
#pragma once

#include <cstddef>

namespace c2f::data {

/// The font; units are dots.
struct font {
  static constexpr int columns = 5, rows = 9, baseline = 6;  ///< the last row of a capital letter
  static constexpr int advance = 6, line = 12;               ///< dots between letters and between lines

  [[nodiscard]] static constexpr bool dot(char letter, int column, int row) {
    int const code = letter >= 32 && letter < 127 ? letter - 32 : '?' - 32;
    if (column < 0 || column >= columns || row < 0 || row >= rows) return false;
    return bands[static_cast<std::size_t>(code / 16 * rows + row)][code % 16 * advance + column] == '#';
  }

 private:
  // clang-format off
  static constexpr char const* bands[6 * rows] = {
    //       !     "     #     $     %     &     '     (     )     *     +     ,     -     .     /
    "        #    # #   # #    #   ##     ##     #      #   #                                      # ",
    "        #    # #   # #   #### ##  # #  #    #     #     #     #     #                         # ",
    "        #    # #  ##### # #      #  # #    #     #       #  # # #   #                        #  ",
    "        #          # #   ###    #    #           #       #   ###  #####        ###          #   ",
    "        #         #####   # #  #    # # #        #       #  # # #   #                      #    ",
    "                   # #  ####  #  ## #  #          #     #     #     #                     #     ",
    "        #          # #    #      ##  ## #          #   #                  #           #   #     ",
    "                                                                         #                      ",
    "                                                                                                ",
    // 0     1     2     3     4     5     6     7     8     9     :     ;     <     =     >     ?
    "  ##    #    ###  #####    #  #####   ##  #####  ###   ###                 #         #     ###  ",
    " #  #  ##   #   #    #    ##  #      #        # #   # #   #               #           #   #   # ",
    " #  #   #       #   #    # #  ####  #        #  #   # #   #   #     #    #    #####    #      # ",
    " #  #   #      #     #  #  #      # ####    #    ###   ####             #               #    #  ",
    " #  #   #     #       # #####     # #   #  #    #   #     #              #    #####    #    #   ",
    " #  #   #    #    #   #    #  #   # #   #  #    #   #    #                #           #         ",
    "  ##   ###  #####  ###     #   ###   ###   #     ###   ##     #     #      #         #      #   ",
    "                                                                   #                            ",
    "                                                                                                ",
    // @     A     B     C     D     E     F     G     H     I     J     K     L     M     N     O
    " ###    #   ####   ###  ####  ##### #####  ###  #   #  ###    ### #   # #     #   # #   #  ###  ",
    "#   #  # #  #   # #   # #   # #     #     #   # #   #   #      #  #  #  #     ## ## #   # #   # ",
    "# ### #   # #   # #     #   # #     #     #     #   #   #      #  # #   #     # # # ##  # #   # ",
    "# # # #   # ####  #     #   # ####  ####  # ### #####   #      #  ##    #     # # # # # # #   # ",
    "# ### ##### #   # #     #   # #     #     #   # #   #   #      #  # #   #     #   # #  ## #   # ",
    "#     #   # #   # #   # #   # #     #     #   # #   #   #   #  #  #  #  #     #   # #   # #   # ",
    " ###  #   # ####   ###  ####  ##### #      ###  #   #  ###   ##   #   # ##### #   # #   #  ###  ",
    "                                                                                                ",
    "                                                                                                ",
    // P     Q     R     S     T     U     V     W     X     Y     Z     [     \     ]     ^     _
    "####   ###  ####   #### ##### #   # #   # #   # #   # #   # #####  ###  #      ###    #         ",
    "#   # #   # #   # #       #   #   # #   # #   # #   # #   #     #  #    #        #   # #        ",
    "#   # #   # #   # #       #   #   # #   # #   #  # #   # #     #   #     #       #  #   #       ",
    "####  #   # ####   ###    #   #   # #   # # # #   #     #     #    #      #      #              ",
    "#     # # # # #       #   #   #   # #   # # # #  # #    #    #     #       #     #              ",
    "#     #  #  #  #      #   #   #   #  # #  # # # #   #   #   #      #        #    #              ",
    "#      ## # #   # ####    #    ###    #    # #  #   #   #   #####  ###      #  ###              ",
    "                                                                                          ##### ",
    "                                                                                                ",
    // `     a     b     c     d     e     f     g     h     i     j     k     l     m     n     o
    " #          #               #          ##       #       #      #  #      ##                     ",
    "  #         #               #         #         #                 #       #                     ",
    "       ###  ####   ###   ####  ###   ###   #### ####   ##     ##  #  #    #   ## #  ####   ###  ",
    "          # #   # #   # #   # #   #   #   #   # #   #   #      #  # #     #   # # # #   # #   # ",
    "       #### #   # #     #   # #####   #   #   # #   #   #      #  ##      #   # # # #   # #   # ",
    "      #   # #   # #   # #   # #       #   #   # #   #   #      #  # #     #   # # # #   # #   # ",
    "       #### ####   ###   ####  ###    #    #### #   #  ###     #  #  #   ###  # # # #   #  ###  ",
    "                                              #             #  #                                ",
    "                                           ###               ##                                 ",
    // p     q     r     s     t     u     v     w     x     y     z     {     |     }     ~
    "                          #                                          #    #    #                ",
    "                          #                                         #     #     #               ",
    "####   #### # ##   ####  ###  #   # #   # #   # #   # #   # #####   #     #     #    #          ",
    "#   # #   # ##    #       #   #   # #   # #   #  # #  #   #    #   #      #      #  # # #       ",
    "#   # #   # #      ###    #   #   # #   # # # #   #   #   #   #     #     #     #      #        ",
    "#   # #   # #         #   #   #   #  # #  # # #  # #  #   #  #      #     #     #               ",
    "####   #### #     ####     ##  ####   #    # #  #   #  #### #####    #    #    #                ",
    "#         #                                               #                                     ",
    "#         #                                            ###                                      ",
  };
  // clang-format on
};

}  // namespace c2f::data
