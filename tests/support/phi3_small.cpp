#include "tests/support/phi3_small.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <fstream>
#include <limits>

namespace phiscope::test {
namespace {

constexpr double kEpsilon = 1e-5, kTheta = 1e6, kShortMscale = 1.05, kLongMscale = 1.2;
constexpr double kEmbeddingMultiplier = 10, kWidthMultiplier = 8, kAttentionMultiplier = 1;

// Uniform in [-1, 1); a linear congruential generator with Knuth's constants.
double next(uint64_t& state) {
  state = state * 6364136223846793005ull + 1442695040888963407ull;
  return static_cast<double>(state >> 11) * 0x1.0p-52 - 1;
}

std::string layer_name(int layer) { return fmt::format("model.layers.{}.", layer); }

}  // namespace

Phi3Small::Phi3Small(const Phi3SmallShape& shape, uint64_t seed) : shape_(shape) {
  const int dim = shape.hidden / shape.heads;
  for (int i = 0; i < dim / 2; ++i) {
    short_factor_.push_back(shape.longrope ? 1 + 0.0625 * i : 1);
    long_factor_.push_back(shape.longrope ? 1.5 + 0.5 * i : 1);
  }
  uint64_t state = seed;
  add("model.embed_tokens.weight", {shape.vocab, shape.hidden}, 0, 0.3, state);
  for (int layer = 0; layer < shape.layers; ++layer) {
    const std::string at = layer_name(layer);
    for (const char* norm : {"input_layernorm", "post_attention_layernorm"}) {
      add(at + norm + ".weight", {shape.hidden}, 1, 0.3, state);
      add(at + norm + ".bias", {shape.hidden}, 0, 0.2, state);
    }
    const auto linear = [&](const std::string& name, int rows, int columns) {
      add(at + name + ".weight", {rows, columns}, 0, 2 / std::sqrt(columns), state);
      add(at + name + ".bias", {rows}, 0, 0.2, state);
    };
    linear("self_attn.query_key_value", (shape.heads + 2 * shape.kv_heads) * dim, shape.hidden);
    linear("self_attn.dense", shape.hidden, shape.hidden);
    linear("mlp.up_proj", 2 * shape.ffn, shape.hidden);
    linear("mlp.down_proj", shape.hidden, shape.ffn);
  }
  add("model.final_layernorm.weight", {shape.hidden}, 1, 0.3, state);
  add("model.final_layernorm.bias", {shape.hidden}, 0, 0.2, state);
}

void Phi3Small::add(const std::string& name, std::vector<int64_t> shape, double centre, double spread, uint64_t& state) {
  int64_t count = 1;
  for (const int64_t size : shape) count *= size;
  Tensor tensor{std::move(shape), {}};
  for (int64_t i = 0; i < count; ++i) tensor.values.push_back(static_cast<float>(centre + spread * next(state)));
  tensors_.emplace(name, std::move(tensor));
}

void Phi3Small::write(const std::filesystem::path& folder) const {
  std::ofstream config(folder / "config.json");
  config << fmt::format(
      R"({{"architectures":["Phi3SmallForCausalLM"],"model_type":"phi3small","hidden_size":{},"ff_intermediate_size":{},"num_hidden_layers":{},)"
      R"("num_attention_heads":{},"num_key_value_heads":{},"vocab_size":{},"max_position_embeddings":{},"layer_norm_epsilon":{},)"
      R"("rope_embedding_base":{},"rope_position_scale":1.0,"hidden_act":"gegelu","gegelu_limit":{},"gegelu_pad_to_256":true,)"
      R"("blocksparse_block_size":{},"blocksparse_num_local_blocks":{},"blocksparse_vert_stride":{},"blocksparse_homo_head_pattern":{},)"
      R"("dense_attention_every_n_layers":{},"mup_use_scaling":true,"mup_attn_multiplier":{},"mup_embedding_multiplier":{},)"
      R"("mup_width_multiplier":{},"dummy_token_indices":[{}],"torch_dtype":"float32")",
      shape_.hidden, shape_.ffn, shape_.layers, shape_.heads, shape_.kv_heads, shape_.vocab, shape_.context, kEpsilon, kTheta, shape_.gegelu_limit,
      shape_.block, shape_.local_blocks, shape_.stride, shape_.same_for_all_heads, shape_.dense_every, kAttentionMultiplier, kEmbeddingMultiplier,
      kWidthMultiplier, fmt::join(shape_.masked_ids, ","));
  if (shape_.longrope)
    config << fmt::format(R"(,"rope_scaling":{{"type":"su","original_max_position_embeddings":{},"short_mscale":{},"long_mscale":{},)"
                          R"("short_factor":[{}],"long_factor":[{}]}})",
                          shape_.original, kShortMscale, kLongMscale, fmt::join(short_factor_, ","), fmt::join(long_factor_, ","));
  config << "}";

  std::string header = "{";
  uint64_t offset = 0;
  for (const auto& [name, tensor] : tensors_) {
    const uint64_t end = offset + 4 * tensor.values.size();
    header += fmt::format(R"({}"{}":{{"dtype":"F32","shape":[{}],"data_offsets":[{},{}]}})", offset == 0 ? "" : ",", name, fmt::join(tensor.shape, ","),
                          offset, end);
    offset = end;
  }
  header += "}";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  std::ofstream file(folder / "model.safetensors", std::ios::binary);
  const uint64_t size = header.size();
  file.write(reinterpret_cast<const char*>(&size), 8);
  file << header;
  for (const auto& [name, tensor] : tensors_)
    file.write(reinterpret_cast<const char*>(tensor.values.data()), static_cast<std::streamsize>(4 * tensor.values.size()));
}

// y = W x, plus the bias of the same name where there is one.
Phi3Small::Row Phi3Small::multiply(const std::string& name, const Row& x) const {
  const std::vector<float>& weight = values(name + ".weight");
  const auto bias = tensors_.find(name + ".bias");
  Row y(weight.size() / x.size());
  for (size_t row = 0; row < y.size(); ++row) {
    double sum = bias == tensors_.end() ? 0.0 : static_cast<double>(bias->second.values[row]);
    for (size_t i = 0; i < x.size(); ++i) sum += static_cast<double>(weight[row * x.size() + i]) * x[i];
    y[row] = sum;
  }
  return y;
}

Phi3Small::Row Phi3Small::layer_norm(const std::string& name, const Row& x) const {
  const auto count = static_cast<double>(x.size());
  double mean = 0, variance = 0;
  for (const double value : x) mean += value / count;
  for (const double value : x) variance += (value - mean) * (value - mean) / count;
  Row y;
  for (size_t i = 0; i < x.size(); ++i)
    y.push_back((x[i] - mean) / std::sqrt(variance + kEpsilon) * static_cast<double>(values(name + ".weight")[i]) +
                static_cast<double>(values(name + ".bias")[i]));
  return y;
}

void Phi3Small::rotate(double* head, int position, bool use_long) const {
  const int half = shape_.hidden / shape_.heads / 2;
  const double mscale = !shape_.longrope ? 1 : use_long ? kLongMscale : kShortMscale;
  for (int i = 0; i < half; ++i) {
    const double factor = (use_long ? long_factor_ : short_factor_)[static_cast<size_t>(i)];
    const double angle = position / (factor * std::pow(kTheta, static_cast<double>(i) / half));
    const double a = head[i], b = head[i + half];
    head[i] = (a * std::cos(angle) - b * std::sin(angle)) * mscale;
    head[i + half] = (b * std::cos(angle) + a * std::sin(angle)) * mscale;
  }
}

bool Phi3Small::sees(int layer, int head, int query, int key) const {
  if (key > query) return false;
  if ((layer + 1) % shape_.dense_every == 0) return true;
  const int step = shape_.same_for_all_heads ? 0 : std::max(1, shape_.stride / shape_.heads);
  const int query_block = query / shape_.block, key_block = key / shape_.block;
  return query_block - key_block < shape_.local_blocks || (key_block + head * step + 1) % shape_.stride == 0;
}

std::vector<Phi3Small::Row> Phi3Small::attention(int layer, const std::vector<Row>& normed, bool use_long) const {
  const int dim = shape_.hidden / shape_.heads, group = shape_.heads / shape_.kv_heads;
  std::vector<Row> joined;  // for each KV head: its query heads, its key, its value
  for (size_t t = 0; t < normed.size(); ++t) {
    joined.push_back(multiply(layer_name(layer) + "self_attn.query_key_value", normed[t]));
    for (int kv = 0; kv < shape_.kv_heads; ++kv)
      for (int part = 0; part <= group; ++part) rotate(joined.back().data() + (kv * (group + 2) + part) * dim, static_cast<int>(t), use_long);
  }
  std::vector<Row> out;
  for (int query = 0; query < static_cast<int>(normed.size()); ++query) {
    Row row;
    for (int head = 0; head < shape_.heads; ++head) {
      const int first = head / group * (group + 2) * dim;
      const double* q = joined[static_cast<size_t>(query)].data() + first + head % group * dim;
      Row sum(static_cast<size_t>(dim));
      double total = 0;
      for (int key = 0; key <= query; ++key) {
        if (!sees(layer, head, query, key)) continue;
        const double* k = joined[static_cast<size_t>(key)].data() + first + group * dim;
        double score = 0;
        for (int d = 0; d < dim; ++d) score += q[d] * k[d];
        const double weight = std::exp(score * kAttentionMultiplier / dim);
        total += weight;
        for (int d = 0; d < dim; ++d) sum[static_cast<size_t>(d)] += weight * k[dim + d];
      }
      for (const double value : sum) row.push_back(value / total);
    }
    out.push_back(multiply(layer_name(layer) + "self_attn.dense", row));
  }
  return out;
}

Phi3Small::Row Phi3Small::mlp(const std::string& layer, const Row& normed) const {
  const Row up = multiply(layer + "mlp.up_proj", normed);
  const double limit = shape_.gegelu_limit;
  Row activation;
  for (size_t i = 0; i < up.size(); i += 2) {
    const double gate = std::min(up[i], limit), linear = std::max(-limit, std::min(up[i + 1], limit));
    activation.push_back(gate / (1 + std::exp(-1.702 * gate)) * (linear + 1));
  }
  return multiply(layer + "mlp.down_proj", activation);
}

std::vector<double> Phi3Small::logits(const std::vector<int32_t>& ids) const {
  const bool use_long = shape_.longrope && static_cast<int>(ids.size()) > shape_.original;
  const std::vector<float>& table = values("model.embed_tokens.weight");
  const auto hidden = static_cast<size_t>(shape_.hidden);
  std::vector<Row> stream;
  for (const int32_t id : ids) {
    Row row;
    for (size_t i = 0; i < hidden; ++i) row.push_back(kEmbeddingMultiplier * static_cast<double>(table[static_cast<size_t>(id) * hidden + i]));
    stream.push_back(row);
  }
  for (int layer = 0; layer < shape_.layers; ++layer) {
    std::vector<Row> normed;
    for (const Row& row : stream) normed.push_back(layer_norm(layer_name(layer) + "input_layernorm", row));
    const std::vector<Row> attended = attention(layer, normed, use_long);
    for (size_t t = 0; t < stream.size(); ++t) {
      for (size_t i = 0; i < hidden; ++i) stream[t][i] += attended[t][i];
      const Row added = mlp(layer_name(layer), layer_norm(layer_name(layer) + "post_attention_layernorm", stream[t]));
      for (size_t i = 0; i < hidden; ++i) stream[t][i] += added[i];
    }
  }
  std::vector<double> out;
  for (const Row& row : stream) {
    Row logits = multiply("model.embed_tokens", layer_norm("model.final_layernorm", row));
    for (double& logit : logits) logit /= kWidthMultiplier;
    for (const int id : shape_.masked_ids) logits[static_cast<size_t>(id)] = -std::numeric_limits<double>::infinity();
    out.insert(out.end(), logits.begin(), logits.end());
  }
  return out;
}

}  // namespace phiscope::test
