// Two translation units with the same headers and the same model: a function that is not inline is a linker error.
#include "tiny.hpp"

int main() {
  c2f::stack<tiny> model;
  in_two(model);
}
