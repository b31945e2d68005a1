// What launchers say in environment variables.
#include <c2f/dist/launch.hpp>

#include "catch.hpp"

#include <map>
#include <string>

namespace {

using variables = std::map<std::string, std::string>;

c2f::dist::launch launch_of(variables const& given) {
  return c2f::dist::launch_of([&](std::string const& name) -> std::optional<std::string> {
    auto const found = given.find(name);
    return found == given.end() ? std::nullopt : std::optional<std::string>(found->second);
  });
}
std::string error_of(variables const& given) {
  try {
    (void)launch_of(given);
  } catch (c2f::input_error const& error) {
    return error.what();
  }
  return {};
}

variables const torchrun{{"RANK", "3"}, {"WORLD_SIZE", "4"}, {"LOCAL_RANK", "1"}, {"MASTER_ADDR", "10.0.0.7"}, {"MASTER_PORT", "29500"}};
variables const open_mpi{{"OMPI_COMM_WORLD_RANK", "1"},
                         {"OMPI_COMM_WORLD_SIZE", "2"},
                         {"OMPI_COMM_WORLD_LOCAL_RANK", "1"},
                         {"OMPI_COMM_WORLD_LOCAL_SIZE", "2"},
                         {"PMIX_NAMESPACE", "job-17"}};
variables const slurm{{"SLURM_PROCID", "5"},   {"SLURM_NTASKS", "8"},  {"SLURM_LOCALID", "1"},
                      {"SLURM_JOB_ID", "991"}, {"SLURM_STEP_ID", "0"}, {"SLURM_JOB_NODELIST", "gpu[003-004,9],big1"}};

variables with(variables all, variables const& more) {
  for (auto const& [name, value] : more) all[name] = value;
  return all;
}
variables without(variables all, std::string const& name) {
  all.erase(name);
  return all;
}

}  // namespace

TEST_CASE("without a launcher there is one process") {
  REQUIRE((launch_of({}) == c2f::dist::launch{}));
  // MASTER_ADDR alone, and the variables of a batch script of Slurm that is no step, start nothing.
  REQUIRE((launch_of({{"MASTER_ADDR", "10.0.0.7"}, {"MASTER_PORT", "29500"}}) == c2f::dist::launch{}));
  REQUIRE((launch_of(without(slurm, "SLURM_STEP_ID")) == c2f::dist::launch{}));
}

TEST_CASE("torchrun") {
  auto const found = launch_of(torchrun);
  REQUIRE((found == c2f::dist::launch{3, 4, 1, "10.0.0.7", 29500, false, "torchrun"}));
  REQUIRE(launch_of(with(torchrun, {{"TORCHELASTIC_USE_AGENT_STORE", "True"}})).agent_store);
  REQUIRE(!launch_of(with(torchrun, {{"TORCHELASTIC_USE_AGENT_STORE", "False"}})).agent_store);
  REQUIRE(launch_of(without(torchrun, "LOCAL_RANK")).local_rank == 3);
  REQUIRE(launch_of({{"RANK", "0"}, {"WORLD_SIZE", "1"}}).size == 1);  // needs no address
  // They win over those of the job in which torchrun runs.
  variables all = slurm;
  all.insert(torchrun.begin(), torchrun.end());
  REQUIRE((launch_of(all) == found));
}

TEST_CASE("Open MPI") {
  auto const found = launch_of(open_mpi);
  REQUIRE(found.rank == 1);
  REQUIRE(found.size == 2);
  REQUIRE(found.local_rank == 1);
  REQUIRE(found.address == "127.0.0.1");
  REQUIRE((found.port >= 20000 && found.port < 30000));
  REQUIRE(launch_of(with(open_mpi, {{"OMPI_COMM_WORLD_RANK", "0"}, {"OMPI_COMM_WORLD_LOCAL_RANK", "0"}})).port == found.port);
  REQUIRE(launch_of(with(open_mpi, {{"PMIX_NAMESPACE", "job-18"}})).port != found.port);
  auto const given = launch_of(with(open_mpi, {{"MASTER_ADDR", "n1"}, {"MASTER_PORT", "1234"}}));
  REQUIRE(given.address == "n1");
  REQUIRE(given.port == 1234);
  // On two machines nothing says where rank 0 is.
  REQUIRE(error_of(with(open_mpi, {{"OMPI_COMM_WORLD_LOCAL_SIZE", "1"}})).starts_with("MASTER_ADDR is not set, and Open MPI started 2"));
  REQUIRE(error_of(without(open_mpi, "PMIX_NAMESPACE")).starts_with("MASTER_PORT is not set"));
}

TEST_CASE("Slurm") {
  auto const found = launch_of(slurm);
  REQUIRE(found.rank == 5);
  REQUIRE(found.size == 8);
  REQUIRE(found.local_rank == 1);
  REQUIRE(found.address == "gpu003");
  REQUIRE(launch_of(with(slurm, {{"SLURM_STEP_ID", "1"}})).port != found.port);
  for (auto const& [list, first] :
       variables{{"n7", "n7"}, {"a,b", "a"}, {"n[12]", "n12"}, {"n[1-3].eu,m", "n1.eu"}, {"x-[007,9]-y", "x-007-y"}})
    REQUIRE(launch_of(with(slurm, {{"SLURM_JOB_NODELIST", list}})).address == first);
  REQUIRE(error_of(with(slurm, {{"SLURM_JOB_NODELIST", "gpu[003"}})).starts_with("SLURM_JOB_NODELIST is 'gpu[003'"));
  REQUIRE(error_of(without(slurm, "SLURM_JOB_NODELIST")).starts_with("MASTER_ADDR is not set, and Slurm started 8"));
}

TEST_CASE("variables that contradict each other") {
  REQUIRE(error_of(with(torchrun, {{"RANK", "4"}})) == "RANK is 4 and WORLD_SIZE is 4; ranks count from 0, so it must be below");
  REQUIRE(error_of(with(torchrun, {{"LOCAL_RANK", "4"}})).starts_with("LOCAL_RANK is 4 and RANK is 3"));
  for (char const* name : {"RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"}) {
    REQUIRE(error_of(without(torchrun, name)).starts_with(std::string(name) + " is not set"));
    REQUIRE(error_of(with(torchrun, {{name, ""}})).starts_with(std::string(name) + " is not set"));  // empty is not set
  }
  for (char const* value : {"x", "1x", "-1", "1.5", " 1", "99999999999999999999"})
    REQUIRE(error_of(with(torchrun, {{"RANK", value}})).starts_with("RANK is '" + std::string(value) + "'"));
  for (char const* value : {"0", "65536"}) REQUIRE(error_of(with(torchrun, {{"MASTER_PORT", value}})).starts_with("MASTER_PORT is '"));
  REQUIRE(error_of(with(torchrun, {{"WORLD_SIZE", "0"}})).starts_with("WORLD_SIZE is '0'"));
}
