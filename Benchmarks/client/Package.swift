// swift-tools-version: 6.3
import PackageDescription

let package = Package(
    name: "client-benchmark",
    dependencies: [
        .package(name: "xsfs", path: "../..")
    ],
    targets: [
        .executableTarget(
            name: "client-benchmark",
            dependencies: [
                .product(name: "Reactor", package: "xsfs"),
                .product(name: "XenstoreClient", package: "xsfs"),
                .product(name: "XenstoreProtocol", package: "xsfs"),
            ],
            swiftSettings: [
                .swiftLanguageMode(.v6),
                .treatAllWarnings(as: .error),
                .enableUpcomingFeature("ExistentialAny"),
                .enableUpcomingFeature("MemberImportVisibility"),
                .enableUpcomingFeature("InternalImportsByDefault"),
                .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
            ]
        )
    ]
)
