#include "core/model/rope.h"

#include <algorithm>
#include <cmath>

namespace phiscope {
namespace {

constexpr int64_t kMaxPositions = int64_t{1} << 24;

// transformers 5 moved these keys into the block; a value there wins over one beside it.
const Json* find_key(const Json& block, const Json& config, const char* key) {
  for (const Json* place : {&block, &config})
    if (place->is_object() && place->contains(key) && !(*place)[key].is_null()) return &(*place)[key];
  return nullptr;
}

Result<double> number_key(const Json& block, const Json& config, const char* key, double fallback, std::string_view where) {
  const Json* found = find_key(block, config, key);
  if (found == nullptr) return fallback;
  if (!found->is_number() || !std::isfinite(found->get<double>()))
    return fail(ErrorCode::invalid_file, "{}: {} is {}, expected a finite number", where, key, dump_line(*found));
  return found->get<double>();
}

Result<std::vector<float>> factor_list(const Json& block, const char* key, int64_t entries, std::string_view where) {
  if (!block.contains(key) || !block[key].is_array())
    return fail(ErrorCode::invalid_file, "{}: longrope needs the list '{}' with {} factors", where, key, entries);
  const Json& list = block[key];
  if (static_cast<int64_t>(list.size()) != entries)
    return fail(ErrorCode::invalid_file, "{}: {} has {} factors, half of the rotary dimensions is {}", where, key, list.size(), entries);
  std::vector<float> factors;
  for (const Json& factor : list) {
    if (!factor.is_number() || !(factor.get<double>() > 0) || !std::isfinite(factor.get<float>()))
      return fail(ErrorCode::invalid_file, "{}: {} holds {}, factors are finite numbers above 0", where, key, dump_line(factor));
    factors.push_back(factor.get<float>());
  }
  return factors;
}

// "su", "yarn" and "longrope" have all been written for the same method.
Result<bool> is_longrope(const Json& block, std::string_view where) {
  if (!block.is_object()) return false;
  const char* const key = block.contains("rope_type") ? "rope_type" : "type";
  const std::string type = json_string_or(block, key, "default");
  if (type == "default") return false;
  if (type == "longrope" || type == "su" || type == "yarn") return true;
  return fail(ErrorCode::unsupported, "{}: rope scaling of type '{}' is not supported; longrope and none are", where, type);
}

Status parse_longrope(const Json& block, const Json& config, std::string_view where, ModelConfig& out) {
  const int64_t entries = rotary_dims(out) / 2;
  PHISCOPE_ASSIGN(out.short_factor, factor_list(block, "short_factor", entries, where));
  PHISCOPE_ASSIGN(out.long_factor, factor_list(block, "long_factor", entries, where));
  PHISCOPE_ASSIGN(out.short_mscale, number_key(block, Json(), "short_mscale", 0, where));
  PHISCOPE_ASSIGN(out.long_mscale, number_key(block, Json(), "long_mscale", 0, where));
  // A given attention_factor replaces the formula; a given factor replaces max / original in it.
  PHISCOPE_ASSIGN(const double attention_factor, number_key(block, Json(), "attention_factor", 0, where));
  PHISCOPE_ASSIGN(const double factor, number_key(block, config, "factor", 0, where));
  double mscale = attention_factor;
  if (mscale <= 0 && factor > 1) mscale = std::sqrt(1 + std::log(factor) / std::log(static_cast<double>(out.original_max_positions)));
  if (mscale <= 0 && factor > 0) mscale = 1;
  if (out.short_mscale <= 0) out.short_mscale = mscale;
  if (out.long_mscale <= 0) out.long_mscale = mscale;
  return {};
}

// base^(-2i/d) / factor_i, each step in f32.
std::vector<float> frequencies(int64_t dims, double theta, const std::vector<float>& factors) {
  std::vector<float> result;
  for (int64_t i = 0; i < dims / 2; ++i) {
    const float exponent = static_cast<float>(2 * i) / static_cast<float>(dims);
    const auto power = static_cast<float>(std::pow(static_cast<double>(static_cast<float>(theta)), static_cast<double>(exponent)));
    result.push_back(1.0f / (factors.empty() ? power : factors[static_cast<size_t>(i)] * power));
  }
  return result;
}

float formula_mscale(const ModelConfig& config) {
  const double scale = static_cast<double>(config.max_positions) / static_cast<double>(config.original_max_positions);
  if (scale <= 1) return 1.0f;
  return static_cast<float>(std::sqrt(1 + std::log(scale) / std::log(static_cast<double>(config.original_max_positions))));
}

}  // namespace

int64_t rotary_dims(const ModelConfig& config) { return static_cast<int64_t>(static_cast<double>(config.head_dim) * config.partial_rotary); }

Status parse_rope(const Json& config, std::string_view where, ModelConfig& out) {
  const char* const block_key = config.contains("rope_parameters") && config["rope_parameters"].is_object() ? "rope_parameters" : "rope_scaling";
  const Json block = config.contains(block_key) ? config[block_key] : Json();
  if (!block.is_null() && !block.is_object())
    return fail(ErrorCode::invalid_file, "{}: {} is {}, expected null or an object", where, block_key, dump_line(block));

  PHISCOPE_ASSIGN(out.rope_theta, number_key(block, config, "rope_theta", out.rope_theta, where));
  if (!(out.rope_theta > 1)) return fail(ErrorCode::invalid_file, "{}: rope_theta is {}, expected a number above 1", where, out.rope_theta);
  PHISCOPE_ASSIGN(out.partial_rotary, number_key(block, config, "partial_rotary_factor", out.partial_rotary, where));
  if (!(out.partial_rotary > 0 && out.partial_rotary <= 1))
    return fail(ErrorCode::invalid_file, "{}: partial_rotary_factor is {}, expected a number above 0 and at most 1", where, out.partial_rotary);
  const int64_t dims = rotary_dims(out);
  if (dims < 2 || dims % 2 != 0)
    return fail(ErrorCode::invalid_file, "{}: partial_rotary_factor {} of head_dim {} rotates {} dimensions, expected an even number from 2", where,
                out.partial_rotary, out.head_dim, dims);

  PHISCOPE_ASSIGN(const double original, number_key(block, config, "original_max_position_embeddings", static_cast<double>(out.max_positions), where));
  if (!(original >= 2 && original <= static_cast<double>(kMaxPositions)) || original != std::floor(original))
    return fail(ErrorCode::invalid_file, "{}: original_max_position_embeddings is {}, expected a whole number from 2 to {}", where, original, kMaxPositions);
  out.original_max_positions = static_cast<int64_t>(original);

  PHISCOPE_ASSIGN(out.longrope, is_longrope(block, where));
  return out.longrope ? parse_longrope(block, config, where, out) : Status{};
}

Rotary make_rotary(const ModelConfig& config) {
  Rotary rotary;
  const int64_t dims = rotary_dims(config);
  rotary.rotary_dims = static_cast<int>(dims);
  rotary.frequencies_short = frequencies(dims, config.rope_theta, config.short_factor);
  rotary.frequencies_long = frequencies(dims, config.rope_theta, config.long_factor);
  if (!config.longrope) return rotary;
  const float formula = formula_mscale(config);
  rotary.mscale_short = config.short_mscale > 0 ? static_cast<float>(config.short_mscale) : formula;
  rotary.mscale_long = config.long_mscale > 0 ? static_cast<float>(config.long_mscale) : formula;
  rotary.switch_length = config.original_max_positions;
  return rotary;
}

}  // namespace phiscope
