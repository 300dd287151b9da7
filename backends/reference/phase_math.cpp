#include "backends/reference/phase_math.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/backend/activation_quant.h"

namespace phiscope::reference {
namespace {

double dot(const float* a, const float* b, int64_t count) {
  double sums[4] = {};
  int64_t i = 0;
  for (; i + 4 <= count; i += 4)
    for (int lane = 0; lane < 4; ++lane) sums[lane] += static_cast<double>(a[i + lane]) * static_cast<double>(b[i + lane]);
  for (; i < count; ++i) sums[0] += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

}  // namespace

void apply_norm(const Norm& norm, const Plan& plan, std::span<const float> in, std::span<float> out) {
  const auto& weight = plan.vectors[static_cast<size_t>(norm.weight)].values;
  const float* bias = norm.bias < 0 ? nullptr : plan.vectors[static_cast<size_t>(norm.bias)].values.data();
  const auto count = static_cast<double>(in.size());
  double mean = 0;
  if (norm.kind == NormKind::layer) {
    for (const float x : in) mean += static_cast<double>(x);
    mean /= count;
  }
  double squares = 0;
  for (const float x : in) squares += (static_cast<double>(x) - mean) * (static_cast<double>(x) - mean);
  const double inverse = 1.0 / std::sqrt(squares / count + static_cast<double>(norm.epsilon));
  for (size_t i = 0; i < in.size(); ++i) {
    const double normal = (static_cast<double>(in[i]) - mean) * inverse * static_cast<double>(weight[i]);
    out[i] = static_cast<float>(bias == nullptr ? normal : normal + static_cast<double>(bias[i]));
  }
}

void round_to_int8(Rows& rows) {
  int8_t codes[kActivationGroup];
  for (int64_t t = 0; t < rows.count; ++t) {
    const std::span<float> row = rows.row(t);
    for (size_t first = 0; first < row.size(); first += kActivationGroup) {
      const std::span<float> group = row.subspan(first, std::min<size_t>(kActivationGroup, row.size() - first));
      const float scale = quantize_activation_group(group, codes);
      for (size_t i = 0; i < group.size(); ++i) group[i] = scale * static_cast<float>(codes[i]);
    }
  }
}

void multiply(const WeightView& weight, const float* bias, const Rows& in, Rows& out, int64_t first_column) {
  std::vector<float> row(static_cast<size_t>(weight.columns));
  for (int64_t n = 0; n < weight.rows; ++n) {
    dequantize_row(weight, n, row.data());
    for (int64_t t = 0; t < in.count; ++t) {
      const double sum = dot(row.data(), in.row(t).data(), weight.columns);
      out.row(t)[static_cast<size_t>(first_column + n)] = static_cast<float>(bias == nullptr ? sum : sum + static_cast<double>(bias[n]));
    }
  }
}

void rotate(const Rotary& rotary, bool use_long, int64_t position, std::span<float> head) {
  const std::vector<float>& frequencies = use_long ? rotary.frequencies_long : rotary.frequencies_short;
  const float mscale = use_long ? rotary.mscale_long : rotary.mscale_short;
  const auto half = static_cast<size_t>(rotary.rotary_dims / 2);
  for (size_t i = 0; i < half; ++i) {
    // transformers computes the angle in f32; at position 1e5 its rounding is visible, so it is copied.
    const float angle = static_cast<float>(position) * frequencies[i];
    const float cosine = static_cast<float>(std::cos(static_cast<double>(angle))) * mscale;
    const float sine = static_cast<float>(std::sin(static_cast<double>(angle))) * mscale;
    const float a = head[i], b = head[i + half];
    head[i] = a * cosine - b * sine;
    head[i + half] = b * cosine + a * sine;
  }
}

float silu(float x) { return static_cast<float>(static_cast<double>(x) / (1.0 + std::exp(-static_cast<double>(x)))); }

float gelu_tanh(float x) {
  const double y = static_cast<double>(x);
  constexpr double kSqrtTwoOverPi = 0.79788456080286535588;
  return static_cast<float>(0.5 * y * (1.0 + std::tanh(kSqrtTwoOverPi * (y + 0.044715 * y * y * y))));
}

float gegelu(float gate, float linear, float limit) {
  const double g = std::isinf(gate) ? static_cast<double>(gate) : std::min(static_cast<double>(gate), static_cast<double>(limit));
  const double l = std::isinf(linear) ? static_cast<double>(linear)
                                      : std::clamp(static_cast<double>(linear), -static_cast<double>(limit), static_cast<double>(limit));
  return static_cast<float>(g / (1.0 + std::exp(-1.702 * g)) * (l + 1.0));
}

void attend(std::span<const float> query, const HeadCache& cache, std::span<const int64_t> visible, float scale, std::span<float> out) {
  const auto width = static_cast<int64_t>(query.size());
  std::vector<double> scores;
  double largest = -std::numeric_limits<double>::infinity();
  for (const int64_t j : visible) {
    scores.push_back(dot(query.data(), cache.keys + j * cache.stride + cache.offset, width) * static_cast<double>(scale));
    largest = std::max(largest, scores.back());
  }
  double total = 0;
  for (double& score : scores) total += score = std::exp(score - largest);
  std::vector<double> sums(static_cast<size_t>(width));
  for (size_t i = 0; i < visible.size(); ++i) {
    const float* value = cache.values + visible[i] * cache.stride + cache.offset;
    for (int64_t d = 0; d < width; ++d) sums[static_cast<size_t>(d)] += scores[i] * static_cast<double>(value[d]);
  }
  for (int64_t d = 0; d < width; ++d) out[static_cast<size_t>(d)] = static_cast<float>(sums[static_cast<size_t>(d)] / total);
}

ChosenExperts sparse_mixer(std::span<const float> logits, float jitter) {
  const auto pick = [&](int excluded) {
    int best = -1;
    for (int i = 0; i < static_cast<int>(logits.size()); ++i)
      if (i != excluded && (best < 0 || logits[static_cast<size_t>(i)] > logits[static_cast<size_t>(best)])) best = i;
    return best;
  };
  // Softmax of the best over those within 2 * jitter of it, relative to the larger magnitude.
  const auto weight_of = [&](int best, int excluded) {
    const float largest = logits[static_cast<size_t>(best)];
    double total = 0;
    for (int i = 0; i < static_cast<int>(logits.size()); ++i) {
      const float logit = logits[static_cast<size_t>(i)];
      if (i == excluded || (largest - logit) / std::max(std::fabs(logit), largest) > 2 * jitter) continue;
      total += std::exp(static_cast<double>(logit) - static_cast<double>(largest));
    }
    return 1.0 / total;
  };
  ChosenExperts chosen;
  chosen.first = pick(-1);
  chosen.first_weight = weight_of(chosen.first, -1);
  chosen.second = pick(chosen.first);
  chosen.second_weight = weight_of(chosen.second, chosen.first);
  return chosen;
}

}  // namespace phiscope::reference
