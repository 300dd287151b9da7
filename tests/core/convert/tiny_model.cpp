#include "tests/core/convert/tiny_model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "core/base/json.h"
#include "core/format/tensor_file.h"

namespace phiscope::test {
namespace {

std::vector<SafetensorsWriter::Item> items_of(const TinyShape& s) {
  std::vector<SafetensorsWriter::Item> items{{"lm_head.weight", s.dtype, {s.vocab, s.hidden}},
                                             {"model.embed_tokens.weight", s.dtype, {s.vocab, s.hidden}},
                                             {"model.norm.weight", s.dtype, {s.hidden}}};
  for (int64_t layer = 0; layer < s.layers; ++layer) {
    const std::string prefix = fmt::format("model.layers.{}.", layer);
    items.push_back({prefix + "input_layernorm.weight", s.dtype, {s.hidden}});
    items.push_back({prefix + "mlp.down_proj.weight", s.dtype, {s.hidden, s.ffn}});
    items.push_back({prefix + "mlp.gate_up_proj.weight", s.dtype, {2 * s.ffn, s.hidden}});
    items.push_back({prefix + "post_attention_layernorm.weight", s.dtype, {s.hidden}});
    items.push_back({prefix + "self_attn.o_proj.weight", s.dtype, {s.hidden, s.hidden}});
    items.push_back({prefix + "self_attn.qkv_proj.weight", s.dtype, {3 * s.hidden, s.hidden}});
  }
  return items;
}

/// Bell-shaped: the sum of four bytes, in steps of 2^-13.
class Values {
 public:
  float next() {
    state_ = state_ * 6364136223846793005ull + 1442695040888963407ull;
    const auto bits = static_cast<uint32_t>(state_ >> 32);
    const uint32_t sum = (bits & 255) + (bits >> 8 & 255) + (bits >> 16 & 255) + (bits >> 24);
    return (static_cast<float>(sum) - 510.0f) / 8192.0f;
  }

 private:
  uint64_t state_ = 42;
};

class NanWeights : public WeightSource {
 public:
  NanWeights(std::shared_ptr<const WeightSource> weights, int index, int64_t element)
      : weights_(std::move(weights)), index_(index), element_(element) {}
  Result<Weight> tensor(int index) const override {
    PHISCOPE_ASSIGN(Weight weight, weights_->tensor(index));
    if (index != index_) return weight;
    const WeightView& view = weight.view;
    const auto values = std::make_shared<std::vector<float>>(static_cast<size_t>(view.rows * view.columns));
    for (int64_t row = 0; row < view.rows; ++row) dequantize_row(view, row, values->data() + row * view.columns);
    (*values)[static_cast<size_t>(element_)] = std::numeric_limits<float>::quiet_NaN();
    return Weight{{encoding(index), view.rows, view.columns, reinterpret_cast<const std::byte*>(values->data()), nullptr, nullptr}, values};
  }
  WeightEncoding encoding(int index) const override { return index == index_ ? WeightEncoding{} : weights_->encoding(index); }
  std::string hash() const override { return "with a NaN"; }

 private:
  std::shared_ptr<const WeightSource> weights_;
  int index_;
  int64_t element_;
};

}  // namespace

void write_tiny_model(const std::filesystem::path& folder, const TinyShape& s) {
  std::filesystem::create_directories(folder);
  const Json config{{"architectures", {"Phi3ForCausalLM"}},
                    {"model_type", "phi3"},
                    {"hidden_size", s.hidden},
                    {"intermediate_size", s.ffn},
                    {"num_hidden_layers", s.layers},
                    {"num_attention_heads", 4},
                    {"num_key_value_heads", 4},
                    {"max_position_embeddings", 128},
                    {"original_max_position_embeddings", 128},
                    {"rms_norm_eps", 1e-5},
                    {"rope_theta", 10000.0},
                    {"hidden_act", "silu"},
                    {"tie_word_embeddings", false},
                    {"torch_dtype", s.dtype == DType::bf16 ? "bfloat16" : s.dtype == DType::f16 ? "float16" : "float32"},
                    {"vocab_size", s.vocab}};
  std::ofstream(folder / "config.json") << config.dump(1);
  std::ofstream(folder / "tokenizer.json") << "{}";
  const auto items = items_of(s);
  auto writer = SafetensorsWriter::create(folder / "model.safetensors", items);
  ASSERT_TRUE(writer.has_value()) << writer.error().message;
  Values values;
  for (const auto& item : items) {
    const int64_t count = TensorView{.dtype = item.dtype, .shape = item.shape}.elements();
    const bool is_norm = item.shape.size() == 1;
    std::vector<float> wide(static_cast<size_t>(count));
    for (float& value : wide) value = values.next() + (is_norm ? 1.0f : 0.0f);
    std::vector<std::byte> bytes(static_cast<size_t>(count) * dtype_bytes(item.dtype));
    narrow_from_f32(wide.data(), count, item.dtype, bytes.data());
    ASSERT_TRUE((*writer)->write(bytes).has_value());
  }
  ASSERT_TRUE((*writer)->commit().has_value());
}

Model tiny_model(const std::filesystem::path& folder, const TinyShape& shape) {
  write_tiny_model(folder, shape);
  auto model = load_model(folder);
  EXPECT_TRUE(model.has_value()) << (model ? "" : model.error().message);
  return model.value_or(Model{});
}

Recipe recipe_of(std::string_view text) {
  auto recipe = parse_recipe(text);
  EXPECT_TRUE(recipe.has_value()) << (recipe ? "" : recipe.error().message);
  return recipe.value_or(Recipe{});
}

std::vector<std::string> names_in(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) names.push_back(entry.path().filename().string());
  std::ranges::sort(names);
  return names;
}

void flip_byte(const std::filesystem::path& path, int64_t position) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  const auto place = position < 0 ? static_cast<int64_t>(std::filesystem::file_size(path)) + position : position;
  file.seekg(place);
  const int value = file.get();
  file.seekp(place);
  file.put(static_cast<char>(value ^ 1));
}

std::shared_ptr<const WeightSource> with_nan(std::shared_ptr<const WeightSource> weights, int index, int64_t element) {
  return std::make_shared<NanWeights>(std::move(weights), index, element);
}

}  // namespace phiscope::test
