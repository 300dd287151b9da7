#include "core/tokenizer/component_json.h"

#include <algorithm>
#include <array>
#include <span>

#include "core/tokenizer/tokenizer_document.h"

namespace phiscope {
namespace {

constexpr int64_t kMaxStrip = 1 << 20;

struct State {
  TokenizerDefinition& out;
  bool ends_in_bytes = false;  // the pre-tokenizer's ByteLevel has been seen
  bool fused = false;          // the decoder's Fuse has been seen
};

using Read = Status (*)(const Json& component, const std::string& where, State& state);
struct Row {
  std::string_view type;
  Read read;
};

Result<std::string> string_pattern(const Json& component, const std::string& where) {
  const auto pattern = component.find("pattern");
  if (pattern == component.end() || !pattern->is_object()) return fail(ErrorCode::invalid_file, "{}.pattern must be an object", where);
  if (pattern->contains("Regex")) return fail(ErrorCode::unsupported, "{} with a Regex pattern is not supported; String is", where);
  PHISCOPE_ASSIGN(std::string text, json_string(*pattern, "String", where + ".pattern"));
  if (text.empty()) return fail(ErrorCode::invalid_file, "{}.pattern.String is empty", where);
  return text;
}

Status read_prepend(const Json& component, const std::string& where, State& state) {
  NormalizerStep step{NormalizerStep::Kind::prepend, "", ""};
  PHISCOPE_ASSIGN(step.content, json_string(component, "prepend", where));
  state.out.normalizer.push_back(std::move(step));
  return {};
}

Status read_replace(const Json& component, const std::string& where, State& state) {
  NormalizerStep step;
  PHISCOPE_ASSIGN(step.pattern, string_pattern(component, where));
  PHISCOPE_ASSIGN(step.content, json_string(component, "content", where));
  state.out.normalizer.push_back(std::move(step));
  return {};
}

// ByteLevel's own pattern: the one of GPT-2.
constexpr std::string_view kGpt2Pattern = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

Status read_byte_level(const Json& component, const std::string& where, State& state) {
  if (state.ends_in_bytes) return fail(ErrorCode::unsupported, "{}: a second ByteLevel is not supported", where);
  PHISCOPE_ASSIGN(state.out.add_prefix_space, json_bool_or(component, "add_prefix_space", true, where));
  PHISCOPE_ASSIGN(const bool uses_pattern, json_bool_or(component, "use_regex", true, where));
  if (state.out.add_prefix_space && !state.out.splits.empty()) {
    return fail(ErrorCode::unsupported, "{}: add_prefix_space after a Split is not supported", where);
  }
  if (uses_pattern) state.out.splits.push_back({std::string(kGpt2Pattern), SplitBehavior::isolated, false});
  state.out.byte_level = state.ends_in_bytes = true;
  return {};
}

Status read_split(const Json& component, const std::string& where, State& state) {
  constexpr std::array<std::pair<std::string_view, SplitBehavior>, 5> kBehaviors{{
      {"Removed", SplitBehavior::removed},
      {"Isolated", SplitBehavior::isolated},
      {"MergedWithPrevious", SplitBehavior::merged_with_previous},
      {"MergedWithNext", SplitBehavior::merged_with_next},
      {"Contiguous", SplitBehavior::contiguous},
  }};
  if (state.ends_in_bytes) return fail(ErrorCode::unsupported, "{}: a Split after ByteLevel is not supported", where);
  SplitStep step;
  PHISCOPE_ASSIGN(const std::string behavior, json_string(component, "behavior", where));
  const auto row = std::find_if(kBehaviors.begin(), kBehaviors.end(), [&](const auto& known) { return known.first == behavior; });
  if (row == kBehaviors.end()) return fail(ErrorCode::unsupported, "{}: behavior {} is not known", where, shown(behavior));
  step.behavior = row->second;
  PHISCOPE_ASSIGN(step.invert, json_bool_or(component, "invert", false, where));
  const auto pattern = component.find("pattern");
  if (pattern == component.end() || !pattern->is_object()) return fail(ErrorCode::invalid_file, "{}.pattern must be an object", where);
  if (pattern->contains("Regex")) {
    PHISCOPE_ASSIGN(step.regex, json_string(*pattern, "Regex", where + ".pattern"));
  } else {
    PHISCOPE_ASSIGN(const std::string text, string_pattern(component, where));
    for (const char c : text) {
      if (std::string_view(R"(\^$.[]|()?*+{}-&)").find(c) != std::string_view::npos) step.regex += '\\';
      step.regex += c;
    }
  }
  state.out.splits.push_back(std::move(step));
  return {};
}

// Only offsets are changed by it.
Status read_byte_level_post(const Json&, const std::string&, State&) { return {}; }

// No special token is added by encode(); one at the start of `single` is what add_bos() says.
Status read_template(const Json& component, const std::string& where, State& state) {
  const auto single = component.find("single");
  if (single == component.end() || !single->is_array()) return fail(ErrorCode::invalid_file, "{}.single must be a list", where);
  if (single->empty() || !single->front().is_object()) return {};
  const auto special = single->front().find("SpecialToken");
  if (special == single->front().end()) return {};
  if (!special->is_object()) return fail(ErrorCode::invalid_file, "{}.single[0].SpecialToken must be an object", where);
  PHISCOPE_ASSIGN(state.out.prefix_special, json_string(*special, "id", where + ".single[0].SpecialToken"));
  return {};
}

Status read_byte_level_decoder(const Json&, const std::string& where, State& state) {
  if (state.fused || !state.out.decoder.replaces.empty() || state.out.decoder.byte_fallback || state.out.decoder.byte_level) {
    return fail(ErrorCode::unsupported, "{}: ByteLevel beside other decoders is not supported", where);
  }
  state.out.decoder.byte_level = true;
  return {};
}

// The order Replace, ByteFallback, Fuse, Strip is the one of every published file; another order has another meaning.
Status read_replace_decoder(const Json& component, const std::string& where, State& state) {
  if (state.fused || state.out.decoder.byte_fallback || state.out.decoder.byte_level) {
    return fail(ErrorCode::unsupported, "{}: Replace after other decoders is not supported", where);
  }
  PHISCOPE_ASSIGN(std::string pattern, string_pattern(component, where));
  PHISCOPE_ASSIGN(std::string content, json_string(component, "content", where));
  state.out.decoder.replaces.emplace_back(std::move(pattern), std::move(content));
  return {};
}

Status read_byte_fallback(const Json&, const std::string& where, State& state) {
  if (state.fused || state.out.decoder.byte_level) return fail(ErrorCode::unsupported, "{}: ByteFallback after Fuse is not supported", where);
  state.out.decoder.byte_fallback = true;
  return {};
}

Status read_fuse(const Json&, const std::string&, State& state) {
  state.fused = true;
  return {};
}

Status read_strip(const Json& component, const std::string& where, State& state) {
  if (!state.fused || state.out.decoder.strip_start > 0) {
    return fail(ErrorCode::unsupported, "{}: Strip is supported once, after Fuse", where);
  }
  PHISCOPE_ASSIGN(const std::string content, json_string(component, "content", where));
  PHISCOPE_ASSIGN(const int64_t start, json_int_or(component, "start", 0, where, 0, kMaxStrip));
  PHISCOPE_ASSIGN(const int64_t stop, json_int_or(component, "stop", 0, where, 0, kMaxStrip));
  if (stop != 0) return fail(ErrorCode::unsupported, "{}: Strip with stop {} is not supported; 0 is", where, stop);
  if (content.size() != 1 || static_cast<unsigned char>(content[0]) > 0x7f) {
    return fail(ErrorCode::unsupported, "{}: Strip of {} is not supported; one ASCII character is", where, shown(content));
  }
  state.out.decoder.strip = content[0];
  state.out.decoder.strip_start = static_cast<int>(start);
  return {};
}

// To add a component: a row here and its reader above.
constexpr Row kNormalizers[] = {{"Prepend", read_prepend}, {"Replace", read_replace}};
constexpr Row kPreTokenizers[] = {{"ByteLevel", read_byte_level}, {"Split", read_split}};
constexpr Row kPostProcessors[] = {{"ByteLevel", read_byte_level_post}, {"TemplateProcessing", read_template}};
constexpr Row kDecoders[] = {{"ByteLevel", read_byte_level_decoder}, {"Replace", read_replace_decoder},
                             {"ByteFallback", read_byte_fallback},   {"Fuse", read_fuse},
                             {"Strip", read_strip}};

struct Stage {
  std::string_view key;       // in the root
  std::string_view sequence;  // key of the list of a Sequence
  std::span<const Row> rows;
};
constexpr Stage kStages[] = {{"normalizer", "normalizers", kNormalizers},
                             {"pre_tokenizer", "pretokenizers", kPreTokenizers},
                             {"post_processor", "processors", kPostProcessors},
                             {"decoder", "decoders", kDecoders}};

Status read_component(const Json& component, const std::string& where, const Stage& stage, State& state) {
  if (!component.is_object()) return fail(ErrorCode::invalid_file, "{} must be an object", where);
  PHISCOPE_ASSIGN(const std::string type, json_string(component, "type", where));
  if (type == "Sequence") {
    const auto list = component.find(stage.sequence);
    if (list == component.end() || !list->is_array()) return fail(ErrorCode::invalid_file, "{}.{} must be a list", where, stage.sequence);
    for (size_t i = 0; i < list->size(); ++i) {
      PHISCOPE_TRY(read_component((*list)[i], fmt::format("{}.{}[{}]", where, stage.sequence, i), stage, state));
    }
    return {};
  }
  for (const Row& row : stage.rows) {
    if (row.type == type) return row.read(component, fmt::format("{} ({})", where, type), state);
  }
  std::string known = "Sequence";
  for (const Row& row : stage.rows) known.append(", ").append(row.type);
  return fail(ErrorCode::unsupported, "{}: component {} is not supported; {} are", where, shown(type), known);
}

}  // namespace

Status read_components(const Json& root, std::string_view where, TokenizerDefinition& out) {
  State state{out};
  for (const Stage& stage : kStages) {
    const auto component = root.find(stage.key);
    if (component == root.end() || component->is_null()) continue;
    PHISCOPE_TRY(read_component(*component, fmt::format("{}: {}", where, stage.key), stage, state));
  }
  const bool has_decoder = root.contains("decoder") && !root["decoder"].is_null();
  if (!has_decoder) return fail(ErrorCode::unsupported, "{}: decoder is null; ByteLevel, or a Sequence with Fuse, is supported", where);
  if (!out.decoder.byte_level && !state.fused) {
    return fail(ErrorCode::unsupported, "{}: a decoder without Fuse is not supported", where);
  }
  if (out.decoder.byte_level != out.byte_level) {
    return fail(ErrorCode::unsupported, "{}: pre_tokenizer and decoder must both be ByteLevel or both not", where);
  }
  if (out.byte_level && out.byte_fallback) return fail(ErrorCode::unsupported, "{}: model.byte_fallback with ByteLevel is not supported", where);
  return {};
}

}  // namespace phiscope
