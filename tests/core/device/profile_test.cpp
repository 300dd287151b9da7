#include "core/device/profile.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "core/base/files.h"
#include "core/device/formats.h"
#include "core/device/published.h"
#include "tests/core/device/shapes.h"
#include "tests/support/fixtures.h"

namespace phiscope::device {
namespace {

using phiscope::test::source_path;
using phiscope::test::TemporaryFolder;

std::vector<DeviceProfile> shipped() {
  auto profiles = list_profiles(source_path("datasets/devices"));
  EXPECT_TRUE(profiles.has_value()) << profiles.error().message;
  return profiles.value_or(std::vector<DeviceProfile>{});
}

Error error_of(const std::string& content) {
  const TemporaryFolder folder;
  EXPECT_TRUE(write_file(folder / "board.toml", content).has_value());
  const auto profile = read_profile(folder / "board.toml");
  EXPECT_FALSE(profile.has_value());
  return profile ? Error{} : profile.error();
}

TEST(Profiles, CoverPhonesBoardsComputersCardsAndServers) {
  const auto profiles = shipped();
  EXPECT_GE(profiles.size(), 35U);
  std::set<std::string> classes;
  for (const DeviceProfile& profile : profiles) classes.insert(profile.device_class);
  for (const char* name : {"phone", "iot", "ai-pc", "mac", "pc", "desktop-gpu", "server"}) EXPECT_TRUE(classes.contains(name)) << name;
}

TEST(Profiles, EveryFigureNamesItsSourceAndEveryUnitRunsSomething) {
  for (const DeviceProfile& profile : shipped()) {
    for (const ComputeUnit& unit : profile.units) {
      if (profile.bandwidth_of(unit) > 0) {
        EXPECT_GT(profile.bandwidth_source(unit).size(), 10U) << profile.id;
      }
      for (const Rate& rate : unit.rates) EXPECT_GT(rate.source.size(), 10U) << profile.id;
      const bool runs = std::any_of(deploy_formats().begin(), deploy_formats().end(), [&](const DeployFormat& format) { return runs_on(format, unit); });
      EXPECT_TRUE(runs) << profile.id << " " << unit.name;
    }
  }
}

// A slip of a decimal point would show: bandwidths of memory that exists, 16-bit rates below 8-bit ones.
TEST(Profiles, FiguresArePlausible) {
  for (const DeviceProfile& profile : shipped())
    for (const ComputeUnit& unit : profile.units) {
      const double bandwidth = profile.bandwidth_of(unit);
      if (bandwidth > 0) {
        EXPECT_TRUE(bandwidth >= 10 && bandwidth <= 5000) << profile.id << " " << bandwidth;
      }
      const Rate* half = unit.find_rate("fp16");
      const Rate* byte = unit.find_rate("int8");
      if (half != nullptr && byte != nullptr) {
        EXPECT_GE(byte->giga_operations_s, half->giga_operations_s) << profile.id;
      }
    }
}

TEST(Profile, SurvivesWritingAndReading) {
  const TemporaryFolder folder;
  for (const DeviceProfile& profile : shipped()) {
    ASSERT_TRUE(write_file(folder / (profile.id + ".toml"), profile_text(profile)).has_value());
    const auto again = read_profile(folder / (profile.id + ".toml"));
    ASSERT_TRUE(again.has_value()) << again.error().message;
    EXPECT_EQ(profile_text(*again), profile_text(profile));
    EXPECT_EQ(again->memory_bytes, profile.memory_bytes) << profile.id;
  }
}

TEST(Profile, IsRefusedWithFileTableAndKey) {
  EXPECT_EQ(error_of("name = \"x\"\nclass = \"iot\"\nmemory_gib = 8\n[[unit]]\nkind = \"cpu\"\nname = \"c\"\n").message,
            "board.toml: figures of memory need a 'source'");
  EXPECT_EQ(error_of("name = \"x\"\nclass = \"iot\"\nbandwith = 8\n[[unit]]\nkind = \"cpu\"\nname = \"c\"\n").message.substr(0, 45),
            "board.toml: 'bandwith' is unknown");
  EXPECT_EQ(error_of("name = \"x\"\nclass = \"toaster\"\n").message, "board.toml: class 'toaster' is none of phone, iot, ai-pc, mac, pc, desktop-gpu, server");
  EXPECT_EQ(error_of("name = \"x\"\nclass = \"iot\"\n").message, "board.toml: a device needs at least one [[unit]]");
  EXPECT_NE(error_of("name = \"x\"\nclass = \"iot\"\n[[unit]]\nkind = \"cpu\"\nname = \"c\"\nengines = [\"lama\"]\n").message.find("engine 'lama' is unknown"),
            std::string::npos);
  EXPECT_NE(error_of("name = \"x\"\nclass = \"iot\"\n[[unit]]\nkind = \"cpu\"\nname = \"c\"\n[unit.rates]\nfp32 = 1\n").message.find("'source' is missing"),
            std::string::npos);
  EXPECT_NE(error_of("name = \n").message.find("board.toml:1"), std::string::npos);
}

TEST(Profile, OfThisMachineTakesTheBestOfTheProbe) {
  const DeviceProfile profile = measured_profile({.cpu = "Example CPU 3000",
                                                  .date = "2026-03-01",
                                                  .memory_bytes = 16'000'000'000,
                                                  .values = {{"read_gb_s@1t", 20.5, "GB/s"}, {"read_gb_s@2t", 33.9, "GB/s"},
                                                             {"fp32_gflop_s@1t", 100, "GFLOP/s"}, {"fp32_gflop_s@2t", 190, "GFLOP/s"}}});
  EXPECT_TRUE(profile.is_measured);
  EXPECT_DOUBLE_EQ(profile.bandwidth_gb_s, 33.9);
  ASSERT_NE(profile.units.at(0).find_rate("fp32"), nullptr);
  EXPECT_DOUBLE_EQ(profile.units.at(0).find_rate("fp32")->giga_operations_s, 190);
  EXPECT_EQ(profile.units.at(0).find_rate("int8"), nullptr);
  EXPECT_TRUE(profile.is_device_of("Example CPU 3000"));
  EXPECT_FALSE(profile.is_device_of("Other CPU"));
}

TEST(Published, EveryRowNamesADeviceAFormatAndAModelThatExist) {
  const auto published = read_published(source_path("datasets/published.toml"));
  ASSERT_TRUE(published.has_value()) << published.error().message;
  EXPECT_GE(published->speeds.size(), 20U);
  EXPECT_GE(published->qualities.size(), 15U);
  std::set<std::string> devices;
  for (const DeviceProfile& profile : shipped()) devices.insert(profile.id);
  for (const PublishedSpeed& row : published->speeds) {
    EXPECT_TRUE(devices.contains(row.device)) << row.device;
    EXPECT_EQ(test::format_of(row.format).id, row.format);
    EXPECT_FALSE(test::published_shape(row.model).name.empty());
    EXPECT_GT(row.decode_tokens_per_s, 0);
  }
  for (const PublishedQuality& row : published->qualities) EXPECT_FALSE(test::published_shape(row.model).name.empty());
}

// A published speed above what the memory can deliver would be a wrong figure or a wrong count of bytes.
TEST(Published, NoSpeedIsBeyondTheBandwidthOfItsDevice) {
  const auto published = read_published(source_path("datasets/published.toml"));
  ASSERT_TRUE(published.has_value());
  for (const PublishedSpeed& row : published->speeds)
    for (const DeviceProfile& profile : shipped()) {
      if (profile.id != row.device) continue;
      const ModelShape shape = test::published_shape(row.model);
      const double bandwidth = profile.bandwidth_of(profile.units.front());
      if (bandwidth <= 0) continue;
      const double bytes = static_cast<double>(shape.active_parameters + shape.head_parameters) * row.bits / 8;
      EXPECT_LE(row.decode_tokens_per_s * bytes, 1.02 * bandwidth * 1e9) << row.model << " on " << row.device;
    }
}

}  // namespace
}  // namespace phiscope::device
