#pragma once
// A seeded tiny Phi-3-small and its arithmetic in double precision, written from the published description (the model's own code as vLLM and
// onnxruntime-genai carry it) without any of the engine's: no plan, no tensor reader, no shared formula.

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace phiscope::test {

struct Phi3SmallShape {
  int hidden = 32, ffn = 40, layers = 3, heads = 4, kv_heads = 2, vocab = 96, context = 160;
  int block = 4, local_blocks = 2, stride = 3, dense_every = 2;
  bool same_for_all_heads = false;
  bool longrope = true;             // switching after `original` positions, with an mscale for each list
  int original = 24;
  double gegelu_limit = 0.75;       // low, so that it is reached
  std::vector<int> masked_ids{90, 92, 95};
};

class Phi3Small {
 public:
  explicit Phi3Small(const Phi3SmallShape& shape, uint64_t seed = 1);

  /// config.json with the published keys and model.safetensors in f32.
  void write(const std::filesystem::path& folder) const;

  /// Logits [ids, vocab] of a whole sequence in f64; -infinity for masked ids.
  std::vector<double> logits(const std::vector<int32_t>& ids) const;

 private:
  struct Tensor {
    std::vector<int64_t> shape;
    std::vector<float> values;
  };
  using Row = std::vector<double>;

  void add(const std::string& name, std::vector<int64_t> shape, double centre, double spread, uint64_t& state);
  const std::vector<float>& values(const std::string& name) const { return tensors_.at(name).values; }
  Row multiply(const std::string& name, const Row& x) const;
  Row layer_norm(const std::string& name, const Row& x) const;
  void rotate(double* head, int position, bool use_long) const;
  bool sees(int layer, int head, int query, int key) const;
  std::vector<Row> attention(int layer, const std::vector<Row>& normed, bool use_long) const;
  Row mlp(const std::string& layer, const Row& normed) const;

  Phi3SmallShape shape_;
  std::vector<double> short_factor_, long_factor_;
  std::map<std::string, Tensor> tensors_;
};

}  // namespace phiscope::test
