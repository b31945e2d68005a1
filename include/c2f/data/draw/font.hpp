// c2f/data/draw/font.hpp: the letters that canvas writes: printable ASCII, 5 wide, 7 high and 2 below the line.
//
//   c2f::data::font::dot('A', 2, 0)                    // whether the letter has a dot at column 2, row 0: true
//
// The letters are the picture below, six bands of sixteen. Whatever is not printable ASCII looks like a question mark.
// No cost but 5 KB of constants.
#pragma once

#include <cstddef>

namespace c2f::data {

struct font {
  static constexpr int columns = 5, rows = 9, baseline = 6;  ///< a capital letter stands on row `baseline`
  static constexpr int advance = 6, line = 12;               ///< from letter to letter, from line to line

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
