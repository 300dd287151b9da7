#pragma once
// What a model thought at single positions of a text, in words: the places where a precision hurts can be read. Nothing of it is stored, it is computed
// again on demand.

#include <cstdint>
#include <string>
#include <vector>

#include "core/bench/engine.h"

namespace phiscope::bench {

struct DistributionsBlock {
  Windows windows;
  std::vector<int64_t> window, position;  // places: index of the window, index among its scored positions
  int64_t top = 10;                       // most probable ids to give
  int64_t around = 24;                    // tokens of text before, a third of them after
};
struct TokenChance {
  int32_t id = 0;
  double p = 0;
  std::string text;
};
struct TokenPlace {
  int32_t target = 0;                // the id that really follows
  double p_target = 0;
  std::string before, word, after;   // text around, well-formed UTF-8
  std::vector<TokenChance> top;      // largest first, the lowest id on ties
};
struct DistributionsReply {
  std::vector<TokenPlace> places;    // as asked
};

/// exp(logits - log sum), the `top` largest first; p of `target` too. Thread-safe.
TokenPlace distribution_at(std::span<const float> logits, int32_t target, int64_t top);

}  // namespace phiscope::bench
