// Two translation units with the same headers and the same model: what is not inline is defined twice, and the linker says so.
#include "tiny.hpp"

int main() {
  c2f::stack<tiny> model;
  in_two(model);
}
