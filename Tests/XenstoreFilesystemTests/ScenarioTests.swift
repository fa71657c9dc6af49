import FilesystemScenarios
import Testing
import XenstoreStore

@Suite("The filesystem's claims, in process")
struct ScenarioTests {
    @Test("hold over the embedded store", arguments: Scenario.all)
    func holds(_ scenario: Scenario) async throws {
        let surface = try await InProcessSurface<InProcessConnection>.make(
            options: scenario.options
        )
        try await scenario.run(surface)
        #expect(surface.reported.isEmpty)
    }
}
