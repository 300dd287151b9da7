#include "core/quant/recipe.h"

#include <algorithm>
#include <array>

namespace phiscope {
namespace {

// In the order of the enumerators.
constexpr std::array<std::string_view, kTensorClasses> kClassNames{"embedding", "attention_in", "attention_out", "mlp_in",
                                                                   "mlp_out",   "experts",      "lm_head",       "other"};
constexpr std::array<std::string_view, 4> kKvNames{"fp32", "fp16", "int8", "int4"};

/// '*' is any text, '?' any one character.
bool matches(std::string_view pattern, std::string_view text) {
  size_t p = 0, t = 0, star = std::string_view::npos, resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace

std::string_view tensor_class_name(TensorClass tensor_class) { return kClassNames[static_cast<size_t>(tensor_class)]; }

std::string_view kv_type_name(KvType type) { return kKvNames[static_cast<size_t>(type)]; }

const WeightRule& Recipe::rule_for(TensorClass tensor_class, std::string_view tensor_name) const {
  for (const PatternRule& rule : patterns)
    if (matches(rule.pattern, tensor_name)) return rule.rule;
  return rules[static_cast<size_t>(tensor_class)];
}

}  // namespace phiscope
