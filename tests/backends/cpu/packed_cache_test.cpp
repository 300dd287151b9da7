#include "backends/cpu/packed_cache.h"

#include <gtest/gtest.h>

#include <fstream>
#include <thread>

#include "backends/cpu/packed_model.h"
#include "tests/support/fixtures.h"

namespace phiscope::cpu {
namespace {

// Two matrices of counting numbers; counts how often a tensor is read.
class CountingWeights : public WeightSource {
 public:
  explicit CountingWeights(std::string hash, float first = 0) : hash_(std::move(hash)), values_(64 * 48) {
    for (size_t i = 0; i < values_.size(); ++i) values_[i] = first + static_cast<float>(i);
  }
  Result<Weight> tensor(int) const override {
    ++reads;
    return Weight{{encoding(0), 64, 48, reinterpret_cast<const std::byte*>(values_.data()), nullptr, nullptr}, nullptr};
  }
  WeightEncoding encoding(int) const override { return {.float_type = DType::f32}; }
  std::string hash() const override { return hash_; }
  mutable std::atomic<int> reads{0};

 private:
  std::string hash_;
  std::vector<float> values_;
};

Plan two_matrices() {
  Plan plan;
  plan.tensors = {{"a", TensorClass::other, 64, 48, false}, {"b", TensorClass::lm_head, 64, 48, false}};
  Phase phase;
  phase.linears = {{0, -1}, {1, -1}};
  plan.phases = {phase};
  plan.head = 1;
  return plan;
}

class PackedCache : public testing::Test {
 protected:
  std::unique_ptr<PackedModel> load(const WeightSource& weights) {
    OpenOptions options;
    options.packed_cache = folder_ / "packed";
    auto model = PackedModel::load(plan_, weights, options, pool_);
    if (!model) ADD_FAILURE() << model.error().message;
    return model ? std::move(*model) : nullptr;
  }
  float second_value(const PackedModel& model) {
    std::vector<float> row(48);
    read_packed_row(model.matrix(1), 0, row.data());
    return row[1];
  }
  std::filesystem::path file(const WeightSource& weights) const { return packed_cache_path(folder_ / "packed", weights.hash()); }

  test::TemporaryFolder folder_;
  Plan plan_ = two_matrices();
  Pool pool_{2};
};

TEST_F(PackedCache, SecondLoadMapsWhatTheFirstWrote) {
  const CountingWeights weights("w");
  const auto first = load(weights);
  EXPECT_EQ(weights.reads, 2);
  const auto second = load(weights);
  EXPECT_EQ(weights.reads, 2);
  EXPECT_EQ(second->private_bytes(), 0u);
  EXPECT_EQ(second->mapped_bytes(), std::filesystem::file_size(file(weights)));
  EXPECT_EQ(second_value(*second), 1.0f);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(second->matrix(1).data) % 4096, 0u);
}

TEST_F(PackedCache, OtherWeightsHaveAnotherFile) {
  load(CountingWeights("w"));
  const CountingWeights other("v", 5);
  EXPECT_EQ(second_value(*load(other)), 6.0f);
  EXPECT_EQ(other.reads, 2);
}

TEST_F(PackedCache, AnyDamagedByteLeadsToANewFile) {
  const CountingWeights weights("w");
  load(weights);
  const auto size = static_cast<int64_t>(std::filesystem::file_size(file(weights)));
  int expected_reads = 2;
  for (const int64_t at : {int64_t{0}, int64_t{9}, int64_t{40}, int64_t{4096}, size / 2, size - 40, size - 1}) {
    {
      std::fstream stream(file(weights), std::ios::in | std::ios::out | std::ios::binary);
      stream.seekg(at);
      const int byte = stream.get();
      stream.seekp(at);
      stream.put(static_cast<char>(byte ^ 0x40));
    }
    EXPECT_EQ(second_value(*load(weights)), 1.0f) << at;
    expected_reads += 2;
    EXPECT_EQ(weights.reads, expected_reads) << "byte " << at;
  }
  std::filesystem::resize_file(file(weights), 5000);
  EXPECT_EQ(second_value(*load(weights)), 1.0f);
  EXPECT_EQ(weights.reads, expected_reads + 2);
}

TEST_F(PackedCache, WeightsWithoutIdentityStayInPrivateMemory) {
  const auto model = load(CountingWeights(""));
  EXPECT_EQ(model->mapped_bytes(), 0u);
  EXPECT_GT(model->private_bytes(), 0u);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "packed"));
}

TEST_F(PackedCache, AFolderThatCannotBeWrittenIsNotedAndDoesNotStopTheLoad) {
  std::ofstream(folder_ / "packed") << "a file where the folder should be";
  const auto model = load(CountingWeights("w"));
  ASSERT_NE(model, nullptr);
  EXPECT_EQ(second_value(*model), 1.0f);
  EXPECT_NE(model->note().find("private memory"), std::string::npos);
}

TEST_F(PackedCache, WritersAtTheSameTimeLeaveOneWholeFile) {
  const CountingWeights weights("w");
  std::vector<std::thread> writers;
  std::atomic<int> right{0};
  for (int i = 0; i < 4; ++i) {
    writers.emplace_back([&] {
      Pool pool(1);
      OpenOptions options;
      options.packed_cache = folder_ / "packed";
      const auto model = PackedModel::load(plan_, weights, options, pool);
      if (model && second_value(**model) == 1.0f && (*model)->note().empty()) ++right;
    });
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(right, 4);
  const auto files = std::distance(std::filesystem::directory_iterator(folder_ / "packed"), {});
  EXPECT_EQ(files, 1);
}

}  // namespace
}  // namespace phiscope::cpu
