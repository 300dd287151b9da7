#include "core/bench/engine_json.h"

#include <cmath>
#include <type_traits>

namespace phiscope::bench {
namespace {

// One list of fields a struct, used for both directions.
template <class V>
void visit(V& v, Effective& x) {
  v("instruction_set", x.instruction_set);
  v("weights", x.weights);
  v("activations", x.activations);
  v("accumulate", x.accumulate);
  v("kv", x.kv);
  v("threads", x.threads);
  v("notes", x.notes);
}
template <class V>
void visit(V& v, MemoryReport& x) {
  v("weights_private", x.weights_private);
  v("weights_mapped", x.weights_mapped);
  v("kv_allocated", x.kv_allocated);
  v("kv_per_token", x.kv_per_token);
  v("workspace", x.workspace);
  v("bytes_per_decode_token", x.bytes_per_decode_token);
}
template <class V>
void visit(V& v, SamplingOptions& x) {
  v("temperature", x.temperature);
  v("top_k", x.top_k);
  v("top_p", x.top_p);
  v("min_p", x.min_p);
  v("repetition_penalty", x.repetition_penalty);
  v("seed", x.seed);
}
template <class V>
void visit(V& v, OpenBlock& x) {
  v("model", x.model);
  v("recipe", x.recipe);
  v("backend", x.backend);
  v("threads", x.threads);
  v("context", x.context);
  v("instruction_set", x.instruction_set);
  v("with_reference_head", x.with_reference_head);
  v("layer_by_layer", x.layer_by_layer);
}
template <class V>
void visit(V& v, OpenReply& x) {
  v("model_name", x.model_name);
  v("model_hash", x.model_hash);
  v("artifact_hash", x.artifact_hash);
  v("tokenizer_hash", x.tokenizer_hash);
  v("artifact_path", x.artifact_path);
  v("vocab", x.vocab);
  v("hidden", x.hidden);
  v("layers", x.layers);
  v("context", x.context);
  v("parameters", x.parameters);
  v("file_bytes", x.file_bytes);
  v("bits_per_weight", x.bits_per_weight);
  v("synthetic", x.synthetic);
  v("layer_by_layer", x.layer_by_layer);
  v("artifact_made", x.artifact_made);
  v("quantize_s", x.quantize_s);
  v("open_s", x.open_s);
  v("load_s", x.load_s);
  v("page_cache_share", x.page_cache_share);
  v("energy_source", x.energy_source);
  v("energy_reason", x.energy_reason);
  v("idle_w", x.idle_w);
  v("backend", x.backend);
  v("recipe", x.recipe);
  v("reference_head", x.reference_head);
  v("reference_head_reason", x.reference_head_reason);
  v("effective", x.effective);
  v("memory", x.memory);
  v("notices", x.notices);
}
template <class V>
void visit(V& v, PrefillBlock& x) {
  v("tokens", x.tokens);
  v("depth", x.depth);
  v("seed", x.seed);
}
template <class V>
void visit(V& v, PrefillReply& x) {
  v("start_ns", x.start_ns);
  v("end_ns", x.end_ns);
  v("energy_j", x.energy_j);
}
template <class V>
void visit(V& v, GenerateBlock& x) {
  v("prompt", x.prompt);
  v("random_prompt", x.random_prompt);
  v("text_prompt", x.text_prompt);
  v("chat", x.chat);
  v("chat_roles", x.chat_roles);
  v("chat_contents", x.chat_contents);
  v("depth", x.depth);
  v("max_new_tokens", x.max_new_tokens);
  v("fixed_length", x.fixed_length);
  v("seed", x.seed);
  v("sampling", x.sampling);
}
template <class V>
void visit(V& v, GenerateReply& x) {
  v("request_ns", x.request_ns);
  v("handed_ns", x.handed_ns);
  v("token_ns", x.token_ns);
  v("ids", x.ids);
  v("prompt_tokens", x.prompt_tokens);
  v("finish", x.finish);
  v("energy_j", x.energy_j);
  v("idle_w", x.idle_w);
  v("finite", x.finite);
}
template <class V>
void visit(V& v, Windows& x) {
  v("text", x.text);
  v("chunk", x.chunk);
  v("stride", x.stride);
  v("max_chunks", x.max_chunks);
  v("bf16_noise", x.bf16_noise);
}
template <class V>
void visit(V& v, DistributionsBlock& x) {
  v("windows", x.windows);
  v("window", x.window);
  v("position", x.position);
  v("top", x.top);
  v("around", x.around);
}
template <class V>
void visit(V& v, TokenChance& x) {
  v("id", x.id);
  v("p", x.p);
  v("text", x.text);
}
template <class V>
void visit(V& v, TokenPlace& x) {
  v("target", x.target);
  v("p_target", x.p_target);
  v("before", x.before);
  v("word", x.word);
  v("after", x.after);
  v("top", x.top);
}
template <class V>
void visit(V& v, DistributionsReply& x) {
  v("places", x.places);
}
template <class V>
void visit(V& v, HiddenReply& x) {
  v("chunks", x.chunks);
  v("positions", x.positions);
  v("text_tokens", x.text_tokens);
  v("bos", x.bos);
}
template <class V>
void visit(V& v, ScoreReply& x) {
  v("chunks", x.chunks);
  v("positions", x.positions);
  v("text_tokens", x.text_tokens);
  v("scored_bytes", x.scored_bytes);
  v("scored_from", x.scored_from);
  v("bos", x.bos);
}
template <class V>
void visit(V& v, ItemsBlock& x) {
  v("task", x.task);
  v("format", x.format);
  v("shots_file", x.shots_file);
  v("shots", x.shots);
  v("kind", x.kind);
  v("max_items", x.max_items);
  v("max_new_tokens", x.max_new_tokens);
  v("stop", x.stop);
}
template <class V>
void visit(V& v, MemoryReply& x) {
  v("report", x.report);
  v("resident", x.resident);
  v("anonymous", x.anonymous);
  v("file_backed", x.file_backed);
  v("peak_resident", x.peak_resident);
  v("proportional", x.proportional);
}

template <class T>
struct is_vector : std::false_type {};
template <class T>
struct is_vector<std::vector<T>> : std::true_type {};

struct Writer {
  Json json = Json::object();
  template <class T>
  void operator()(const char* key, T& value) {
    if constexpr (std::is_same_v<T, std::filesystem::path>) {
      json[key] = value.string();
    } else if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::string>) {
      json[key] = value;
    } else if constexpr (is_vector<T>::value) {
      Json list = Json::array();
      for (auto& element : value) {
        Writer one;
        one("", element);
        list.push_back(std::move(one.json[""]));
      }
      json[key] = std::move(list);
    } else {
      Writer inner;
      visit(inner, value);
      json[key] = std::move(inner.json);
    }
  }
};

struct Reader {
  const Json& json;
  std::string problem;

  template <class T>
  void operator()(const char* key, T& value) {
    const auto found = json.find(key);
    if (found == json.end() || !problem.empty()) return;
    if (!read(*found, value)) problem = problem.empty() ? fmt::format("key '{}' has the wrong type", key) : fmt::format("{}: {}", key, problem);
  }

  template <class T>
  bool read(const Json& item, T& value) {
    if constexpr (std::is_same_v<T, bool>) {
      if (!item.is_boolean()) return false;
      value = item.get<bool>();
    } else if constexpr (std::is_integral_v<T>) {
      if (!item.is_number_integer()) return false;
      value = item.get<T>();
    } else if constexpr (std::is_floating_point_v<T>) {
      if (!item.is_number()) return false;
      value = item.get<T>();
    } else if constexpr (std::is_same_v<T, std::string> || std::is_same_v<T, std::filesystem::path>) {
      if (!item.is_string()) return false;
      value = item.get<std::string>();
    } else if constexpr (is_vector<T>::value) {
      if (!item.is_array()) return false;
      value.clear();
      for (const Json& element : item) {
        typename T::value_type one{};
        if (!read(element, one)) return false;
        value.push_back(std::move(one));
      }
    } else {
      if (!item.is_object()) return false;
      Reader inner{item, {}};
      visit(inner, value);
      problem = inner.problem;
      return problem.empty();
    }
    return true;
  }
};

}  // namespace

template <class T>
Json to_json(const T& value) {
  Writer writer;
  T copy = value;
  visit(writer, copy);
  return std::move(writer.json);
}

template <class T>
Result<T> from_json(const Json& json) {
  if (!json.is_object()) return fail(ErrorCode::invalid_file, "worker protocol: an object was expected, this is {}", json.type_name());
  T value;
  Reader reader{json, {}};
  visit(reader, value);
  if (!reader.problem.empty()) return fail(ErrorCode::invalid_file, "worker protocol: {}", reader.problem);
  return value;
}

#define PHISCOPE_BENCH_JSON(T)           \
  template Json to_json<T>(const T&);    \
  template Result<T> from_json<T>(const Json&);
PHISCOPE_BENCH_JSON(OpenBlock)
PHISCOPE_BENCH_JSON(OpenReply)
PHISCOPE_BENCH_JSON(PrefillBlock)
PHISCOPE_BENCH_JSON(PrefillReply)
PHISCOPE_BENCH_JSON(GenerateBlock)
PHISCOPE_BENCH_JSON(GenerateReply)
PHISCOPE_BENCH_JSON(Windows)
PHISCOPE_BENCH_JSON(DistributionsBlock)
PHISCOPE_BENCH_JSON(DistributionsReply)
PHISCOPE_BENCH_JSON(HiddenReply)
PHISCOPE_BENCH_JSON(ScoreReply)
PHISCOPE_BENCH_JSON(ItemsBlock)
PHISCOPE_BENCH_JSON(MemoryReply)
PHISCOPE_BENCH_JSON(Effective)
PHISCOPE_BENCH_JSON(MemoryReport)
PHISCOPE_BENCH_JSON(SamplingOptions)
#undef PHISCOPE_BENCH_JSON

}  // namespace phiscope::bench
