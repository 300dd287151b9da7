#include "core/model/gguf_config.h"

#include <algorithm>
#include <cmath>

#include "core/model/file_weights.h"
#include "core/model/gguf_names.h"
#include "core/model/rope.h"

namespace phiscope {
namespace {

// Phi-3-mini-4k and -medium-4k, whose early files have no window: the only models with this context, and both have this window.
constexpr int64_t kWindowedContext = 4096, kUnsaidWindow = 2047;

// Phi-3.5-MoE: llama.cpp's converter writes the longrope formula's factor; the publisher's config says another.
constexpr int64_t kMoeHidden = 4096, kMoeLayers = 32, kMoeExperts = 16;
constexpr double kMoeFactor = 1.243163121016122;

class Reader {
 public:
  explicit Reader(const GgufFile& file) : file_(file), tensors_(*file.tensors()), where_(file.path().filename().string()) {}

  Result<GgufConfig> run() {
    PHISCOPE_TRY(read_architecture());
    PHISCOPE_TRY(read_keys());
    PHISCOPE_TRY(check_heads());
    PHISCOPE_TRY(read_vocabulary());
    read_tensor_presence();
    PHISCOPE_TRY(read_rotary());
    read_window();
    PHISCOPE_TRY(check_numbers());
    return std::move(out_);
  }

 private:
  std::string key(std::string_view suffix) const { return gguf_key(gguf_, suffix); }
  bool has(std::string_view suffix) const { return file_.find(key(suffix)) != nullptr; }
  std::string place(std::string_view suffix) const {
    const GgufPair* pair = file_.find(key(suffix));
    return pair == nullptr ? fmt::format("{}: key '{}'", where_, key(suffix)) : fmt::format("{}: key '{}' at offset {}", where_, key(suffix), pair->offset);
  }
  ModelConfig& config() { return out_.config; }

  Status read_architecture() {
    PHISCOPE_ASSIGN(const auto name, file_.text("general.architecture"));
    if (!name) return fail(ErrorCode::invalid_file, "{}: key 'general.architecture' is missing", where_);
    gguf_ = *name;
    config().architecture = architecture_of_gguf(gguf_);
    if (config().architecture.empty())
      return fail(ErrorCode::unsupported, "{}: key 'general.architecture' at offset {}: '{}' is not supported; phi2, phi3 and phimoe are", where_,
                  file_.find("general.architecture")->offset, gguf_);
    config().name = file_.path().stem().string();
    return {};
  }

  Status read_keys() {
    for (const GgufKey& row : gguf_keys()) {
      const GgufNeed need = row.need(gguf_);
      if (need == GgufNeed::absent) continue;
      if (need == GgufNeed::required && !has(row.suffix)) return fail(ErrorCode::invalid_file, "{} is missing", place(row.suffix));
      if (row.whole != nullptr) {
        PHISCOPE_ASSIGN(const auto value, file_.integer(key(row.suffix), row.low, row.high));
        if (value) config().*row.whole = *value;
      } else if (row.number != nullptr) {
        PHISCOPE_ASSIGN(const auto value, file_.number(key(row.suffix)));
        if (value) config().*row.number = *value;
      }
    }
    if (config().architecture != "phimoe") return {};
    if (config().experts_per_token != 2)
      return fail(ErrorCode::unsupported, "{} is {}, the sparse mixer of phimoe chooses 2", place("expert_used_count"), config().experts_per_token);
    config().router_jitter = 0.01;  // of every published phimoe; the format has no key for it
    return {};
  }

  Status check_heads() {
    ModelConfig& c = config();
    if (c.kv_heads == 0) c.kv_heads = c.heads;
    if (c.heads % c.kv_heads != 0)
      return fail(ErrorCode::invalid_file, "{} is {}, but attention.head_count {} is not a multiple of it", place("attention.head_count_kv"), c.kv_heads, c.heads);
    if (c.head_dim == 0 && c.hidden_size % c.heads != 0)
      return fail(ErrorCode::invalid_file, "{} is {}, which attention.head_count {} does not divide; attention.key_length must say the size",
                  place("embedding_length"), c.hidden_size, c.heads);
    if (c.head_dim == 0) c.head_dim = c.hidden_size / c.heads;
    PHISCOPE_ASSIGN(const auto keys, file_.integer(key("attention.key_length"), 2, 1024));
    if (keys && *keys != c.head_dim)
      return fail(ErrorCode::invalid_file, "{} is {}, but attention.value_length is {}; they must be equal", place("attention.key_length"), *keys, c.head_dim);
    return {};
  }

  /// Rows of the embedding table; of a file without tensors, its tokens.
  Status read_vocabulary() {
    const GgufPair* tokens = file_.find("tokenizer.ggml.tokens");
    const TensorEntry* table = tensors_.find("token_embd.weight");
    if (table != nullptr && !table->view.shape.empty()) config().vocab_size = table->view.shape.front();
    if (table == nullptr && tokens != nullptr && tokens->is_array) config().vocab_size = static_cast<int64_t>(std::min<uint64_t>(tokens->count, 1 << 22));
    if (config().vocab_size < 1 || config().vocab_size > 1 << 22)
      return fail(ErrorCode::invalid_file, "{}: neither tensor 'token_embd.weight' nor key 'tokenizer.ggml.tokens' says how many tokens there are", where_);
    if (table == nullptr || tokens == nullptr || static_cast<int64_t>(tokens->count) == config().vocab_size) return {};
    return fail(ErrorCode::invalid_file, "{}: key 'tokenizer.ggml.tokens' at offset {} has {} tokens, tensor 'token_embd.weight' at offset {} has {} rows", where_,
                tokens->offset, tokens->count, table->offset, config().vocab_size);
  }

  void read_tensor_presence() {
    ModelConfig& c = config();
    const bool is_phi2 = c.architecture == "phi";
    c.tied_embeddings = !tensors_.tensors().empty() && tensors_.find("output.weight") == nullptr;
    c.attention_bias = is_phi2 || tensors_.find("blk.0.attn_output.bias") != nullptr;
    c.head_bias = is_phi2 || tensors_.find("output.bias") != nullptr;
    c.separate_qkv = c.architecture == "phi3" && tensors_.find("blk.0.attn_qkv.weight") == nullptr && tensors_.find("blk.0.attn_q.weight") != nullptr;
    const TensorEntry* matrix = tensors_.find("blk.0.ffn_down.weight");
    if (matrix != nullptr && matrix->view.block == BlockType::none) c.dtype = matrix->view.dtype;
  }

  Result<std::vector<float>> factors(std::string_view name) const {
    const TensorEntry* entry = tensors_.find(name);
    std::vector<float> values;
    if (entry == nullptr) return values;
    if (entry->view.shape.size() != 1 || entry->view.elements() > 512)
      return fail(ErrorCode::invalid_file, "{}: tensor '{}' at offset {} has shape {}, factors are a list of half the rotary dimensions", where_, name, entry->offset,
                  shape_text(entry->view.shape));
    values.resize(static_cast<size_t>(entry->view.elements()));
    PHISCOPE_TRY(read_vector(tensors_, *entry, 0, values));
    const auto bad = std::ranges::find_if(values, [](float value) { return !(value > 0); });
    if (bad == values.end()) return values;
    return fail(ErrorCode::invalid_file, "{}: tensor '{}' at offset {} holds {} at element {}, factors are finite numbers above 0", where_, name, entry->offset, *bad,
                bad - values.begin());
  }

  Status read_rotary() {
    ModelConfig& c = config();
    PHISCOPE_ASSIGN(c.long_factor, factors(kGgufFactorsLong));
    PHISCOPE_ASSIGN(c.short_factor, factors(kGgufFactorsShort));
    if (c.long_factor.size() != c.short_factor.size())
      return fail(ErrorCode::invalid_file, "{}: tensors '{}' and '{}' have {} and {} factors, they must be equally many", where_, kGgufFactorsLong, kGgufFactorsShort,
                  c.long_factor.size(), c.short_factor.size());
    PHISCOPE_ASSIGN(const auto said, file_.integer(key(kGgufRotaryDims), 2, c.head_dim));
    int64_t dims = said.value_or(c.head_dim);
    const auto by_factors = static_cast<int64_t>(2 * c.long_factor.size());
    if (by_factors != 0 && by_factors != dims && dims == c.head_dim && by_factors < dims) {
      out_.notices.push_back(fmt::format("{} says that {} dimensions rotate, its {} factors that {} do; the factors are right (an early conversion of Phi-4-mini)", where_,
                                         dims, by_factors / 2, by_factors));
      dims = by_factors;
    }
    if (dims % 2 != 0) return fail(ErrorCode::invalid_file, "{} is {}, expected an even number", place(kGgufRotaryDims), dims);
    if (by_factors != 0 && by_factors != dims)
      return fail(ErrorCode::invalid_file, "{}: tensor '{}' at offset {} has {} factors, half of the rotary dimensions is {}", where_, kGgufFactorsLong,
                  tensors_.find(kGgufFactorsLong)->offset, by_factors / 2, dims / 2);
    c.partial_rotary = static_cast<double>(dims) / static_cast<double>(c.head_dim);
    if (rotary_dims(c) < dims) c.partial_rotary = std::nextafter(c.partial_rotary, 2.0);
    if (c.original_max_positions == 0) c.original_max_positions = c.max_positions;
    c.longrope = by_factors != 0;
    return c.longrope ? read_mscale() : check_no_scaling();
  }

  Status read_mscale() {
    ModelConfig& c = config();
    PHISCOPE_ASSIGN(const auto short_mscale, file_.number(kGgufShortMscale));
    PHISCOPE_ASSIGN(const auto long_mscale, file_.number(kGgufLongMscale));
    if (short_mscale && long_mscale && *short_mscale > 0 && *long_mscale > 0) {
      c.short_mscale = *short_mscale;
      c.long_mscale = *long_mscale;
      return {};
    }
    PHISCOPE_ASSIGN(const auto factor, file_.number(key(kGgufAttentionFactor)));
    if (!factor) return {};  // the formula
    if (!(*factor > 0)) return fail(ErrorCode::invalid_file, "{} is {}, expected a number above 0", place(kGgufAttentionFactor), *factor);
    c.short_mscale = c.long_mscale = *factor;
    const bool is_published_moe = c.architecture == "phimoe" && c.hidden_size == kMoeHidden && c.layers == kMoeLayers && c.experts == kMoeExperts;
    if (!is_published_moe || std::fabs(*factor - kMoeFactor) < 1e-4) return {};
    out_.notices.push_back(fmt::format("{} is {:.6f}; {:.6f} is used, as in the published config of Phi-3.5-MoE", place(kGgufAttentionFactor), *factor, kMoeFactor));
    c.short_mscale = c.long_mscale = kMoeFactor;
    return {};
  }

  Status check_no_scaling() const {
    PHISCOPE_ASSIGN(const auto type, file_.text(key("rope.scaling.type")));
    if (!type || *type == "none" || *type == "longrope") return {};
    return fail(ErrorCode::unsupported, "{} is '{}'; longrope (tensors '{}' and '{}') and none are supported", place("rope.scaling.type"), *type, kGgufFactorsLong,
                kGgufFactorsShort);
  }

  void read_window() {
    ModelConfig& c = config();
    if (c.architecture == "phi" || has("attention.sliding_window") || c.max_positions != kWindowedContext) return;
    c.sliding_window = kUnsaidWindow;
    out_.notices.push_back(fmt::format("{} does not say its sliding window; {} is used, as in the published models with a context of {}", where_, kUnsaidWindow,
                                       kWindowedContext));
  }

  Status check_numbers() {
    const std::string_view epsilon = config().architecture == "phi" ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon";
    if (!(config().norm_epsilon > 0 && config().norm_epsilon < 1))
      return fail(ErrorCode::invalid_file, "{} is {}, expected a number above 0 and below 1", place(epsilon), config().norm_epsilon);
    if (!(config().rope_theta > 1)) return fail(ErrorCode::invalid_file, "{} is {}, expected a number above 1", place("rope.freq_base"), config().rope_theta);
    return {};
  }

  const GgufFile& file_;
  const TensorFiles& tensors_;
  const std::string where_;
  std::string gguf_;  // general.architecture
  GgufConfig out_;
};

}  // namespace

Result<GgufConfig> read_gguf_config(const GgufFile& file) { return Reader(file).run(); }

}  // namespace phiscope
