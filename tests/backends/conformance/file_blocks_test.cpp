// Models whose matrices are a GGUF's own blocks: every backend and every block type against the reference, prefill and decode.
#include <cmath>
#include <cstring>
#include <random>

#include "core/base/files.h"
#include "core/quant/blocks.h"
#include "tests/backends/conformance/conformance.h"
#include "tests/core/format/gguf_bytes.h"

namespace phiscope::test {
namespace {

struct TypeRow {
  BlockType type;
  uint32_t number;                // in files
  std::vector<size_t> halves;     // where a block has its scale and min
};
const TypeRow kTypes[] = {{BlockType::q4_0, 2, {0}},         {BlockType::q4_1, 3, {0, 2}},   {BlockType::q5_0, 6, {0}},       {BlockType::q5_1, 7, {0, 2}},
                          {BlockType::q8_0, 8, {0}},         {BlockType::q2_k, 10, {80, 82}}, {BlockType::q3_k, 11, {108}},    {BlockType::q4_k, 12, {0, 2}},
                          {BlockType::q5_k, 13, {0, 2}},     {BlockType::q6_k, 14, {208}},    {BlockType::iq4_nl, 20, {0}},    {BlockType::iq4_xs, 23, {0}}};

// Random codes; scales so small that values have about the spread of trained weights.
std::string random_blocks(const TypeRow& row, uint64_t values, uint32_t seed) {
  const BlockLayout& layout = block_layout(row.type);
  const auto block_bytes = static_cast<size_t>(layout.bytes);
  std::mt19937 random(seed);
  std::string bytes(values / static_cast<uint64_t>(layout.values) * block_bytes, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  for (size_t at = 0; at < bytes.size(); at += block_bytes) {
    std::vector<float> values_of_block(static_cast<size_t>(layout.values));
    for (const size_t half : row.halves) std::memcpy(bytes.data() + at + half, "\x00\x3c", 2);  // 1.0
    dequantize_blocks(row.type, reinterpret_cast<const std::byte*>(bytes.data() + at), layout.values, values_of_block.data());
    float largest = 1;
    for (const float value : values_of_block) largest = std::max(largest, std::fabs(value));
    const uint16_t scale = f32_to_f16(0.15f / largest);
    for (const size_t half : row.halves) std::memcpy(bytes.data() + at + half, &scale, 2);
  }
  return bytes;
}

// A phi3 of two layers and 256 wide, all its matrices of one type; tied, so that the embedding is read from the same blocks.
std::string model_of(const TypeRow& row) {
  const auto u32 = [](const std::string& key, uint32_t value) { return gguf_pair("phi3." + key, GgufType::u32, raw(value)); };
  GgufBytes file;
  file.pairs = {gguf_pair("general.architecture", GgufType::string, gguf_string("phi3")),
                u32("context_length", 128),
                u32("embedding_length", 256),
                u32("feed_forward_length", 256),
                u32("block_count", 2),
                u32("attention.head_count", 4),
                u32("attention.head_count_kv", 2),
                u32("attention.sliding_window", 0),
                gguf_pair("phi3.attention.layer_norm_rms_epsilon", GgufType::f32, raw(1e-5f))};
  const auto add = [&](const std::string& name, uint64_t rows) {
    file.tensors.push_back(gguf_tensor(name, rows == 0 ? std::vector<uint64_t>{256} : std::vector<uint64_t>{256, rows}, rows == 0 ? 0 : row.number, file.data.size()));
    if (rows == 0)
      for (int i = 0; i < 256; ++i) file.data += raw(1.0f);
    else
      file.data += random_blocks(row, rows * 256, static_cast<uint32_t>(file.tensors.size()));
    file.data.resize((file.data.size() + 31) / 32 * 32, '\0');
  };
  add("token_embd.weight", 100);
  add("output_norm.weight", 0);
  for (const char* layer : {"blk.0.", "blk.1."}) {
    add(std::string(layer) + "attn_norm.weight", 0);
    add(std::string(layer) + "ffn_norm.weight", 0);
    add(std::string(layer) + "attn_qkv.weight", 512);
    add(std::string(layer) + "attn_output.weight", 256);
    add(std::string(layer) + "ffn_up.weight", 512);
    add(std::string(layer) + "ffn_down.weight", 256);
  }
  return file.bytes();
}

struct Outputs {
  std::vector<float> prefill, decode;
};
Outputs run(const Backend& backend, const Model& model) {
  OpenOptions options;
  options.threads = 2;
  options.kv = KvType::f32;
  Outputs out;
  const auto session = backend.open(model.plan, model.weights, options);
  EXPECT_TRUE(session.has_value()) << (session ? "" : session.error().message);
  if (!session) return out;
  const std::vector<int32_t> ids{3, 14, 15, 92, 65, 35, 89, 79, 32, 38, 46};
  EXPECT_TRUE((*session)->append(ids).has_value());
  out.prefill.assign((*session)->last_logits().begin(), (*session)->last_logits().end());
  for (const int32_t id : {26, 43}) EXPECT_TRUE((*session)->append(std::span(&id, 1)).has_value());
  out.decode.assign((*session)->last_logits().begin(), (*session)->last_logits().end());
  return out;
}

class FileBlocks : public testing::TestWithParam<size_t> {};

// The values that a format defines are multiplied, so the bound is that of f32 kernels, whatever the type.
TEST_P(FileBlocks, RunAsTheReferenceDoesWithoutASecondRounding) {
  constexpr float kTolerance = 1e-3f;  // logits of about 3; K sums of 256 through two layers in another order of additions
  const TypeRow& row = kTypes[GetParam()];
  const TemporaryFolder folder;
  ASSERT_TRUE(write_file(folder / "model.gguf", model_of(row)).has_value());
  const auto model = load_model(folder / "model.gguf");
  ASSERT_TRUE(model.has_value()) << model.error().message;
  ASSERT_EQ(stored_blocks(*model), block_layout(row.type).name);
  const Outputs expected = run(**find_backend("reference"), *model);
  for (const float value : expected.decode) ASSERT_TRUE(std::isfinite(value));
  for (const Backend* backend : backends()) {
    if (backend->name() == "reference" || !backend->available().ok) continue;
    const Outputs found = run(*backend, *model);
    EXPECT_LE(largest_difference(found.prefill, expected.prefill), kTolerance) << backend->name();
    EXPECT_LE(largest_difference(found.decode, expected.decode), kTolerance) << backend->name();
  }
}
INSTANTIATE_TEST_SUITE_P(Gguf, FileBlocks, testing::Range(size_t{0}, std::size(kTypes)),
                         [](const auto& one) { return std::string(block_layout(kTypes[one.param].type).name); });

}  // namespace
}  // namespace phiscope::test
