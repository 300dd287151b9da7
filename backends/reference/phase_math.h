#pragma once
// Arithmetic of single phases on rows of f32; sums in f64.

#include <span>
#include <vector>

#include "core/backend/plan.h"
#include "core/quant/weight.h"

namespace phiscope::reference {

/// Rows [count, width] of f32, row-major.
struct Rows {
  int64_t count = 0, width = 0;
  std::vector<float> values;

  Rows() = default;
  Rows(int64_t rows, int64_t columns) : count(rows), width(columns), values(static_cast<size_t>(rows * columns)) {}
  std::span<float> row(int64_t i) { return std::span(values).subspan(static_cast<size_t>(i * width), static_cast<size_t>(width)); }
  std::span<const float> row(int64_t i) const { return std::span(values).subspan(static_cast<size_t>(i * width), static_cast<size_t>(width)); }
};

/// out = norm(in); weight and bias [width], bias may be empty.
void apply_norm(const Norm& norm, const Plan& plan, std::span<const float> in, std::span<float> out);

/// Replaces the values by what 8-bit activations hold (core/backend/activation_quant.h).
void round_to_int8(Rows& rows);

/// out[:, first_column .. first_column + weight.rows) = in W^T + b; bias may be null. out.count == in.count.
void multiply(const WeightView& weight, const float* bias, const Rows& in, Rows& out, int64_t first_column);

/// Rotates one head [head_dim] in place for a position.
void rotate(const Rotary& rotary, bool use_long, int64_t position, std::span<float> head);

float silu(float x);
float gelu_tanh(float x);
/// g' = min(g, limit), l' = l within [-limit, limit], infinities untouched: g' sigmoid(1.702 g') (l' + 1).
float gegelu(float gate, float linear, float limit);

/// One query head over some positions of one KV head (ascending); keys and values are [positions, stride] with this head's columns at `offset`.
struct HeadCache {
  const float* keys;
  const float* values;
  int64_t stride, offset;
};
void attend(std::span<const float> query, const HeadCache& cache, std::span<const int64_t> visible, float scale, std::span<float> out);

/// The two experts of phimoe's sparse mixer and their weights (which do not sum to 1), from router logits.
struct ChosenExperts {
  int first = 0, second = 0;
  double first_weight = 0, second_weight = 0;
};
ChosenExperts sparse_mixer(std::span<const float> logits, float jitter);

}  // namespace phiscope::reference
